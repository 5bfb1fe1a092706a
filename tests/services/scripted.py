"""A service that knows nothing but its script: "POST /v1/videos" is a kind of request, each with its answers."""
from . import service


class ScriptedService(service.Service):
    """The script's kinds are METHOD PATH, where * stands for any one segment. What it does not know is a 404 and
    "unexpected" in the journal. Answers beginning with `accepted` make a job: that word first, then the answer."""

    def kind_of(self, request):
        for kind in self.script.steps:
            method, pattern = kind.split(" ")
            if method == request.method and matches(pattern, request.path):
                return kind, None
        return "unexpected", None

    def answer(self, entry):
        if entry.kind == "unexpected":
            return self.reply_of('404 {"error":"no such path"}')
        text = self.script.next(entry.kind, None)
        if text.startswith("accepted "):
            entry.accepted, text = True, text.removeprefix("accepted ")
        return self.reply_of(text)


def matches(pattern, path):
    wanted, given = pattern.split("/"), path.split("/")
    return len(wanted) == len(given) and all(w in ("*", g) for w, g in zip(wanted, given))
