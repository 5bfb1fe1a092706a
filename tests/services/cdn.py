"""A host of result files. It wants no key, and its journal tells whether one was sent all the same."""
from . import service


class FileHost(service.Service):
    """Gives every path the next answer of its script, `file`; without one, a small film."""

    def kind_of(self, request):
        return "file", None

    def answer(self, entry):
        return self.reply_of(self.script.next("file", "200 @mp4"))
