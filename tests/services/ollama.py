"""Ollama's own chat: a line of JSON each, streamed unless told otherwise; what it does not know it reads over."""
import base64
import binascii
import json

from . import chat, wire

FIELDS = frozenset("model messages tools stream format options keep_alive think logprobs top_logprobs".split())
ROLES = ("system", "user", "assistant", "tool")
REASONS = {"stop": "stop", "tool_calls": "stop", "length": "length", "content_filter": "stop"}


class OllamaService(chat.ChatService):
    """`ignored` are the fields that it was sent and does not know, about which the real one keeps silent. It wants no
    key."""

    content_type = "application/x-ndjson"

    def __init__(self, *arguments, **options):
        self.ignored = set()
        super().__init__(*arguments, **options)

    def kind_of(self, request):
        kinds = {("POST", "/api/chat"): "chat", ("GET", "/api/tags"): "models"}
        return kinds.get((request.method, request.path), "unexpected"), None

    def authorize(self, request):
        pass

    def refusal(self, refused):
        return wire.Reply.of(refused.status, {"error": refused.message})

    def answer_models(self, _entry):
        return wire.Reply.of(200, {"models": [{"name": name, "model": name, "size": 1} for name in self.models]})

    # -- what it is asked

    def read(self, entry):
        body = entry.request.json()
        self.ignored.update(name for name in body if name not in FIELDS)
        if not body.get("model"):
            raise chat.Refusal(400, "model is required")
        if body["model"] not in self.models:
            raise chat.Refusal(404, f"model '{body['model']}' not found")
        for message in body.get("messages", []):
            check_message(message)
        return self.call_of(entry, body, body["model"], body.get("stream", True), "")

    # -- what it says

    def line(self, call, message, done=False, **more):
        return {"model": call.model, "created_at": "2026-01-01T00:00:00.000000Z",
                "message": {"role": "assistant", **message}, "done": done, **more}

    def ending_words(self, call):
        usage = call.say.usage
        told = {"prompt_eval_count": usage.input, "eval_count": usage.output} if usage else {}
        return {"done_reason": REASONS[call.say.reason], "total_duration": 174560334, "load_duration": 101397084,
                **told, "prompt_eval_duration": 13074791, "eval_duration": 52479709, **call.say.more}

    def whole(self, call):
        message = {"content": call.say.all_text}
        if call.say.reasoning:
            message["thinking"] = "".join(call.say.reasoning)
        if call.say.tools:
            message["tool_calls"] = [function_of(tool) for tool in call.say.tools]
        return self.line(call, message, True, **self.ending_words(call))

    def opening(self, call):
        return ()

    def piece(self, call, kind, piece):
        if kind == "text":
            yield None, self.line(call, {"content": piece})
        elif kind == "reasoning":
            yield None, self.line(call, {"content": "", "thinking": piece})
        elif piece[1] is None:  # a call of a tool comes whole
            yield None, self.line(call, {"content": "", "tool_calls": [function_of(call.say.tools[piece[0]])]})

    def closing(self, call):
        if call.say.done:
            yield None, self.line(call, {"content": ""}, True, **self.ending_words(call))

    def ping(self):
        return b"\n"

    def event(self, call, name, value):
        return (json.dumps(value, ensure_ascii=False) + "\n").encode()

    def error_value(self, call):
        return {"error": call.say.error}


def function_of(tool):
    return {"function": {"name": tool.name, "arguments": json.loads("".join(tool.arguments))}}


def check_message(message):
    if message.get("role") not in ROLES:
        raise chat.Refusal(400, "invalid role")
    if not isinstance(message.get("content", ""), str):
        raise chat.Refusal(400, "json: cannot unmarshal array into Go struct field ChatRequest.messages.content")
    for image in message.get("images", []):
        try:
            base64.b64decode(image, validate=True)
        except binascii.Error:
            raise chat.Refusal(400, "illegal base64 data at input byte 4") from None
    for call in message.get("tool_calls", []):
        if not isinstance(call["function"].get("arguments"), dict):
            raise chat.Refusal(400, "json: cannot unmarshal string into Go struct field of type map")
