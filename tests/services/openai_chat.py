"""OpenAI's chat completions, and servers that speak them: vLLM, which takes links to sound and films, and llama.cpp,
which says how long it took and numbers its errors."""
from . import chat, wire

FIELDS = frozenset("""model messages store reasoning_effort metadata frequency_penalty logit_bias logprobs top_logprobs
    max_tokens max_completion_tokens n modalities prediction audio presence_penalty response_format seed service_tier
    stop stream stream_options temperature top_p tools tool_choice parallel_tool_calls user function_call functions
    web_search_options verbosity prompt_cache_key prompt_cache_retention safety_identifier""".split())
ROLES = ("developer", "system", "user", "assistant", "tool", "function")
PARTS = {"text", "image_url", "input_audio", "file", "refusal"}
PARTS_OF = {"openai": PARTS, "vllm": PARTS | {"video_url", "audio_url"},
            "llama.cpp": {"text", "image_url", "input_audio"}}


class OpenAiService(chat.ChatService):
    """`flavour` is openai, vllm or llama.cpp. Models beginning with `modern` refuse max_tokens, as OpenAI's newer ones
    do."""

    def __init__(self, script=None, time=None, flavour="openai", modern="gpt-5", prefix="/v1", **options):
        self.flavour, self.modern, self.prefix = flavour, modern, prefix
        super().__init__(script, time, **options)

    def kind_of(self, request):
        kinds = {("POST", self.prefix + "/chat/completions"): "chat", ("GET", self.prefix + "/models"): "models"}
        return kinds.get((request.method, request.path), "unexpected"), None

    def authorize(self, request):
        key = request.headers.get("authorization", "")
        if self.keys and (not key.startswith("Bearer ") or key.removeprefix("Bearer ") not in self.keys):
            shown = key.removeprefix("Bearer ")
            raise chat.Refusal(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")

    def refusal(self, refused):
        kind = {401: "invalid_request_error", 404: "invalid_request_error", 429: "rate_limit_error"}
        code = refused.more.get("code") or ("model_not_found" if "model" in refused.more else None)
        error = {"message": refused.message, "type": kind.get(refused.status, "invalid_request_error"),
                 "param": refused.more.get("param"), "code": code}
        if self.flavour == "llama.cpp":
            error = {"code": refused.status, "message": refused.message, "type": error["type"]}
        return wire.Reply.of(refused.status, {"error": error}, {"x-request-id": "req_fake"})

    def answer_models(self, _entry):
        data = [{"id": name, "object": "model", "created": 1700000000, "owned_by": "fake"} for name in self.models]
        return wire.Reply.of(200, {"object": "list", "data": data})

    # -- what it is asked

    def read(self, entry):
        if entry.request.headers.get("content-type", "").split(";")[0] != "application/json":
            raise chat.Refusal(415, "Unsupported content type.")
        body = entry.request.json()
        if self.flavour == "openai":
            chat.refuse_unknown(body, FIELDS, lambda name: chat.Refusal(
                400, f"Unrecognized request argument supplied: {name}"))
        for name in ("model", "messages"):
            if not body.get(name):
                raise chat.Refusal(400, f"Missing required parameter: '{name}'.", param=name,
                                   code="missing_required_parameter")
        self.check_model(body["model"])
        self.check_options(body)
        for number, message in enumerate(body["messages"]):
            self.check_message(f"messages[{number}]", message)
        call = self.call_of(entry, body, body["model"], body.get("stream", False), "chatcmpl-")
        call.count = body.get("n", 1)
        return call

    def check_options(self, body):
        if "stream_options" in body and not body.get("stream"):
            raise chat.Refusal(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
                               param="stream_options")
        if "max_tokens" in body and body["model"].startswith(self.modern) and self.flavour == "openai":
            raise chat.Refusal(400, "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                               "'max_completion_tokens' instead.", param="max_tokens", code="unsupported_parameter")
        for number, tool in enumerate(body.get("tools", [])):
            if tool.get("type") != "function" or not tool.get("function", {}).get("name"):
                raise chat.Refusal(400, "Missing required parameter.", param=f"tools[{number}].function.name")

    def check_message(self, path, message):
        if message.get("role") not in ROLES:
            raise chat.Refusal(400, f"Invalid value: '{message.get('role')}'.", param=path + ".role",
                               code="invalid_value")
        if message["role"] == "tool" and not message.get("tool_call_id"):
            raise chat.Refusal(400, "Missing required parameter.", param=path + ".tool_call_id")
        content = message.get("content")
        if content is None and not message.get("tool_calls"):
            raise chat.Refusal(400, "Invalid value for 'content': expected a string, got null.",
                               param=path + ".content")
        for number, part in enumerate(content if isinstance(content, list) else []):
            self.check_part(f"{path}.content[{number}]", part)

    def check_part(self, path, part):
        kind = part.get("type")
        if kind not in PARTS_OF[self.flavour]:
            raise chat.Refusal(400, f"Invalid value: '{kind}'. Supported values are: 'text', 'image_url', …",
                               param=path + ".type", code="invalid_value")
        if kind.endswith("_url"):
            url = part[kind].get("url", "")
            if not url.startswith(("http://", "https://", "data:")):
                raise chat.Refusal(400, "Invalid URL.", param=f"{path}.{kind}.url", code="invalid_image_url")
        if kind == "input_audio" and part[kind].get("format") not in ("wav", "mp3"):
            raise chat.Refusal(400, "Invalid value: supported formats are 'wav' and 'mp3'.",
                               param=path + ".input_audio.format")

    # -- what it says

    def whole(self, call):
        message = {"role": "assistant", "content": call.say.all_text or None, "refusal": None}
        if call.say.reasoning:
            message["reasoning_content"] = "".join(call.say.reasoning)
        if call.say.tools:
            message["tool_calls"] = [{"id": tool.id, "type": "function", "function": {
                "name": tool.name, "arguments": "".join(tool.arguments)}} for tool in call.say.tools]
        choices = [{"index": index, "message": message, "logprobs": None, "finish_reason": call.say.reason}
                   for index in range(call.count)]
        told = {"usage": usage_value(call.say.usage)} if call.say.usage else {}
        return {"id": call.id, "object": "chat.completion", "created": call.created, "model": call.model,
                "choices": choices, **told, **self.timings()}

    def timings(self):
        timings = {"prompt_n": 11, "predicted_n": 7, "predicted_ms": 12.5}
        return {"timings": timings} if self.flavour == "llama.cpp" else {}

    def chunk(self, call, choices, **more):
        value = {"id": call.id, "object": "chat.completion.chunk", "created": call.created, "model": call.model,
                 "choices": choices, **more}
        if self.wants_usage(call) and "usage" not in more and self.flavour == "openai":
            value["usage"] = None
        return None, value

    @staticmethod
    def wants_usage(call):
        return bool((call.body.get("stream_options") or {}).get("include_usage"))

    def deltas(self, call, delta, finish=None):
        for index in range(call.count):
            yield self.chunk(call, [{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}])

    def opening(self, call):
        yield from self.deltas(call, {"role": "assistant", "content": "", "refusal": None})

    def piece(self, call, kind, piece):
        if kind == "tool":
            number, arguments = piece
            tool = call.say.tools[number]
            begun = {"id": tool.id, "type": "function", "function": {"name": tool.name, "arguments": ""}}
            delta = {"tool_calls": [{"index": number, **(begun if arguments is None else
                                                         {"function": {"arguments": arguments}})}]}
        else:
            delta = {"content" if kind == "text" else "reasoning_content": piece}
        yield from self.deltas(call, delta)

    def closing(self, call):
        yield from self.deltas(call, {}, call.say.reason)
        if self.wants_usage(call) and call.say.usage:
            yield self.chunk(call, [], usage=usage_value(call.say.usage), **self.timings(), **call.say.more)
        if call.say.done:
            yield None, "[DONE]"

    def error_value(self, call):
        code = 500 if self.flavour == "llama.cpp" else "server_error"
        return {"error": {"message": call.say.error, "type": "server_error", "param": None, "code": code}}


def usage_value(usage):
    return {"prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": usage.input + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0}}
