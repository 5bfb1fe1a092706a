"""Gemini's generateContent: whole fragments as events, with alt=sse, or as the items of one array without it."""
import base64
import binascii
import json

from . import chat, wire

FIELDS = frozenset("contents systemInstruction generationConfig safetySettings tools toolConfig cachedContent".split())
OPTIONS = frozenset("""temperature topP topK candidateCount maxOutputTokens stopSequences responseMimeType
    responseSchema responseJsonSchema presencePenalty frequencyPenalty seed responseLogprobs logprobs thinkingConfig
    responseModalities speechConfig mediaResolution""".split())
PARTS = frozenset("text inlineData fileData functionCall functionResponse thought thoughtSignature".split())
STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
            429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
REASONS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
METHODS = ("generateContent", "streamGenerateContent")


class GeminiService(chat.ChatService):
    """A Say whose `finish` is `blocked` is a prompt that was refused: HTTP 200 and no candidates."""

    def kind_of(self, request):
        if (request.method, request.path) == ("GET", "/v1beta/models"):
            return "models", None
        name, _, method = request.path.removeprefix("/v1beta/models/").partition(":")
        return ("chat" if request.method == "POST" and name and method in METHODS else "unexpected"), None

    def authorize(self, request):
        key = request.headers.get("x-goog-api-key") or request.query.get("key")
        if key is None:
            raise chat.Refusal(403, "Method doesn't allow unregistered callers. Please use API Key or other form of "
                               "API consumer identity to call this API.")
        if key not in self.keys:
            raise chat.Refusal(400, "API key not valid. Please pass a valid API key.", reason="API_KEY_INVALID")

    def refusal(self, refused):
        return wire.Reply.of(refused.status, error_of(refused.status, refused.message, refused.more.get("reason")))

    def answer_models(self, _entry):
        return wire.Reply.of(200, {"models": [{"name": f"models/{name}", "displayName": name,
                                               "supportedGenerationMethods": METHODS} for name in self.models]})

    # -- what it is asked

    def read(self, entry):
        name, _, method = entry.request.path.removeprefix("/v1beta/models/").partition(":")
        if name not in self.models:
            raise chat.Refusal(404, f"models/{name} is not found for API version v1beta, or is not supported.")
        body = entry.request.json()
        check_fields("", body, FIELDS)
        check_fields("generation_config.", body.get("generationConfig", {}), OPTIONS)
        if not body.get("contents"):
            raise chat.Refusal(400, "* GenerateContentRequest.contents: contents is not specified")
        for number, content in enumerate(body["contents"]):
            check_content(f"contents[{number}]", content)
        if "systemInstruction" in body:
            check_parts("system_instruction", body["systemInstruction"].get("parts"))
        for number, tool in enumerate(body.get("tools", [])):
            check_fields(f"tools[{number}].", tool,
                         ("functionDeclarations", "googleSearch", "codeExecution", "urlContext"))
        call = self.call_of(entry, body, name, method == "streamGenerateContent", "resp")
        call.array = call.stream and entry.request.query.get("alt") != "sse"
        call.count = body.get("generationConfig", {}).get("candidateCount", 1)
        return call

    # -- what it says

    def fragment(self, call, parts, finish=None):
        candidates = []
        for index in range(call.count):
            candidate = {"content": {"role": "model", **({"parts": parts} if parts else {})}, "index": index}
            candidates.append({**candidate, "finishReason": finish} if finish else candidate)
        usage = {"usageMetadata": usage_value(call.say.usage)} if call.say.usage else {}
        return {"candidates": candidates, **usage, "modelVersion": call.model, "responseId": call.id}

    def blocked(self, call):
        return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 11,
                "totalTokenCount": 11}, "modelVersion": call.model, "responseId": call.id}

    def whole(self, call):
        if call.say.finish == "blocked":
            return self.blocked(call)
        parts = [{"text": "".join(call.say.reasoning), "thought": True}] if call.say.reasoning else []
        parts += [{"text": call.say.all_text}] if call.say.all_text else []
        parts += [function_of(tool) for tool in call.say.tools]
        return self.fragment(call, parts, REASONS[call.say.reason])

    def opening(self, call):
        if call.say.finish == "blocked":
            yield None, self.blocked(call)

    def piece(self, call, kind, piece):
        if call.say.finish == "blocked":
            return
        if kind == "tool":
            number, arguments = piece
            if arguments is None:  # a function call comes whole
                yield None, self.fragment(call, [function_of(call.say.tools[number])])
            return
        yield None, self.fragment(call, [{"text": piece, **({"thought": True} if kind == "reasoning" else {})}])

    def closing(self, call):
        if call.say.finish != "blocked" and call.say.done:
            yield None, {**self.fragment(call, [{"text": ""}], REASONS[call.say.reason]), **call.say.more}

    def say(self, call):
        reply = super().say(call)
        if getattr(call, "array", False):
            reply.headers["Content-Type"] = "application/json"
        return reply

    def written(self, call):
        if not call.array:
            yield from super().written(call)
            return
        yield b"["
        comma = b""
        for part in super().written(call):
            yield comma + part if isinstance(part, bytes) else part
            comma = b",\n"
        yield b"]"

    def event(self, call, name, value):
        return json.dumps(value).encode() if call.array else super().event(call, name, value)

    def error_value(self, call):
        return error_of(503, call.say.error)


def function_of(tool):
    return {"functionCall": {"name": tool.name, "args": json.loads("".join(tool.arguments))},
            "thoughtSignature": "c2lnbmVk"}


def error_of(status, message, reason=None):
    error = {"code": status, "message": message, "status": STATUSES[status]}
    if reason:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
                             "domain": "googleapis.com"}]
    return {"error": error}


def usage_value(usage):
    """candidatesTokenCount is without the thoughts."""
    value = {"promptTokenCount": usage.input, "candidatesTokenCount": usage.output - usage.reasoning,
             "totalTokenCount": usage.input + usage.output}
    if usage.cached:
        value["cachedContentTokenCount"] = usage.cached
    if usage.reasoning:
        value["thoughtsTokenCount"] = usage.reasoning
    return value


def check_fields(path, value, known):
    chat.refuse_unknown(value, known, lambda name: chat.Refusal(
        400, f'Invalid JSON payload received. Unknown name "{name}" at \'{path.rstrip(".")}\': Cannot find field.'))


def check_content(path, content):
    check_fields(path + ".", content, ("role", "parts"))
    if content.get("role", "user") not in ("user", "model"):
        raise chat.Refusal(400, "Please use a valid role: user, model.")
    check_parts(path, content.get("parts"))


def check_parts(path, parts):
    if not parts:
        raise chat.Refusal(400, f"* GenerateContentRequest.{path}.parts: contents.parts must not be empty.")
    for number, part in enumerate(parts):
        check_fields(f"{path}.parts[{number}].", part, PARTS)
        if not any(name in part for name in ("text", "inlineData", "fileData", "functionCall", "functionResponse")):
            raise chat.Refusal(400, f"* GenerateContentRequest.{path}.parts[{number}].data: required oneof field "
                               "'data' must have one initialized field")
        if "inlineData" in part:
            check_inline(f"{path}.parts[{number}].inline_data", part["inlineData"])


def check_inline(path, inline):
    check_fields(path + ".", inline, ("mimeType", "data", "displayName"))
    try:
        base64.b64decode(inline["data"], validate=True)
    except (KeyError, binascii.Error):
        raise chat.Refusal(400, f"Invalid value at '{path}.data' (TYPE_BYTES), Base64 decoding failed") from None
    if not inline.get("mimeType"):
        raise chat.Refusal(400, "Unable to submit request because it must have a mimeType parameter")
