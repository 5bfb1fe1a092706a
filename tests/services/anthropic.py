"""Anthropic's Messages: named events, input and output told apart, a version in every request."""
import json

from . import chat, wire

VERSION = "2023-06-01"
FIELDS = frozenset("""model messages max_tokens metadata stop_sequences stream system temperature top_k top_p tools
    tool_choice thinking service_tier container mcp_servers context_management output_config cache_control""".split())
TYPES = {400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
         404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 500: "api_error",
         529: "overloaded_error"}
REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
BLOCKS = {"user": {"text", "image", "document", "tool_result"},
          "assistant": {"text", "thinking", "redacted_thinking", "tool_use"}}


class AnthropicService(chat.ChatService):
    def kind_of(self, request):
        kinds = {("POST", "/v1/messages"): "chat", ("GET", "/v1/models"): "models"}
        return kinds.get((request.method, request.path), "unexpected"), None

    def authorize(self, request):
        if request.headers.get("x-api-key") not in self.keys:
            raise chat.Refusal(401, "invalid x-api-key")
        if request.headers.get("anthropic-version") != VERSION:
            raise chat.Refusal(400, "anthropic-version: header is required")

    def refusal(self, refused):
        return wire.Reply.of(refused.status, error_of(TYPES[refused.status], refused.message),
                             {"request-id": "req_fake"})

    def answer_models(self, _entry):
        data = [{"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
                for name in self.models]
        return wire.Reply.of(200, {"data": data, "has_more": False, "first_id": self.models[0],
                                   "last_id": self.models[-1]})

    # -- what it is asked

    def read(self, entry):
        body = entry.request.json()
        for name in ("model", "messages", "max_tokens"):
            if name not in body:
                raise chat.Refusal(400, f"{name}: Field required")
        chat.refuse_unknown(body, FIELDS, lambda name: chat.Refusal(400, f"{name}: Extra inputs are not permitted"))
        if body["model"] not in self.models:
            raise chat.Refusal(404, f"model: {body['model']}")
        check_options(body)
        if not body["messages"]:
            raise chat.Refusal(400, "messages: at least one message is required")
        known_tools = set()
        for number, message in enumerate(body["messages"]):
            check_message(f"messages.{number}", message, known_tools)
        if body["messages"][0]["role"] != "user":
            raise chat.Refusal(400, 'messages: first message must use the "user" role')
        return self.call_of(entry, body, body["model"], body.get("stream", False), "msg_")

    # -- what it says

    def message(self, call, content, reason, usage):
        return {"id": call.id, "type": "message", "role": "assistant", "model": call.model, "content": content,
                "stop_reason": reason, "stop_sequence": None, **({"usage": usage} if usage else {})}

    def whole(self, call):
        say, content = call.say, []
        if say.reasoning:
            content.append({"type": "thinking", "thinking": "".join(say.reasoning), "signature": "c2lnbmVk"})
        if say.all_text:
            content.append({"type": "text", "text": say.all_text})
        content += [{"type": "tool_use", "id": tool.id, "name": tool.name, "input": json.loads("".join(tool.arguments))}
                    for tool in say.tools]
        return self.message(call, content, REASONS[say.reason], usage_value(say.usage))

    def opening(self, call):
        call.block, call.block_kind = -1, None
        usage = usage_value(call.say.usage)
        usage = {**usage, "output_tokens": 1} if usage else None
        yield "message_start", {"type": "message_start", "message": self.message(call, [], None, usage)}
        yield "ping", {"type": "ping"}

    def piece(self, call, kind, piece):
        block = (kind, piece[0] if kind == "tool" else 0)
        if block != call.block_kind:
            yield from self.end_block(call)
            call.block, call.block_kind = call.block + 1, block
            yield from self.typed("content_block_start", index=call.block, content_block=begin_of(call, kind, piece))
        if kind != "tool":
            delta = {"text": {"type": "text_delta", "text": piece},
                     "reasoning": {"type": "thinking_delta", "thinking": piece}}[kind]
            yield from self.typed("content_block_delta", index=call.block, delta=delta)
        elif piece[1] is not None:
            delta = {"type": "input_json_delta", "partial_json": piece[1]}
            yield from self.typed("content_block_delta", index=call.block, delta=delta)

    def end_block(self, call):
        if call.block_kind is None:
            return
        if call.block_kind[0] == "reasoning":
            delta = {"type": "signature_delta", "signature": "c2lnbmVk"}
            yield from self.typed("content_block_delta", index=call.block, delta=delta)
        yield from self.typed("content_block_stop", index=call.block)

    @staticmethod
    def typed(name, **members):
        yield name, {"type": name, **members}

    def closing(self, call):
        yield from self.end_block(call)
        usage = {"usage": {"output_tokens": call.say.usage.output}} if call.say.usage else {}
        yield from self.typed("message_delta", delta={"stop_reason": REASONS[call.say.reason], "stop_sequence": None},
                              **usage)
        if call.say.done:
            yield from self.typed("message_stop")

    def ping(self):
        return b'event: ping\ndata: {"type": "ping"}\n\n'

    def failing(self, call):
        yield "error", self.error_value(call)

    def error_value(self, call):
        return error_of("overloaded_error", call.say.error)


def error_of(kind, message):
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake"}


def usage_value(usage):
    """Its input_tokens are those that were neither read from the cache nor written to it."""
    return usage and {"input_tokens": usage.input - usage.cached, "output_tokens": usage.output,
                      "cache_creation_input_tokens": 0, "cache_read_input_tokens": usage.cached}


def begin_of(call, kind, piece):
    if kind == "text":
        return {"type": "text", "text": ""}
    if kind == "reasoning":
        return {"type": "thinking", "thinking": "", "signature": ""}
    tool = call.say.tools[piece[0]]
    return {"type": "tool_use", "id": tool.id, "name": tool.name, "input": {}}


def refuse_extra(path, value, known):
    chat.refuse_unknown(value, known, lambda name: chat.Refusal(400, f"{path}.{name}: Extra inputs are not permitted"))


def check_options(body):
    if not isinstance(body["max_tokens"], int) or body["max_tokens"] < 1:
        raise chat.Refusal(400, "max_tokens: Input should be greater than or equal to 1")
    if not 0 <= body.get("temperature", 1) <= 1:
        raise chat.Refusal(400, "temperature: range: 0..1")
    thinking = body.get("thinking") or {"type": "disabled"}
    if thinking["type"] == "enabled":
        if not 1024 <= thinking.get("budget_tokens", 0) < body["max_tokens"]:
            raise chat.Refusal(400, "`max_tokens` must be greater than `thinking.budget_tokens`, at least 1024.")
        if body.get("temperature", 1) != 1:
            raise chat.Refusal(400, "`temperature` may only be set to 1 when thinking is enabled.")
    elif thinking["type"] not in ("disabled", "adaptive"):
        raise chat.Refusal(400, "thinking.type: Input tag was not expected")
    for number, tool in enumerate(body.get("tools", [])):
        refuse_extra(f"tools.{number}", tool,
                     ("name", "description", "input_schema", "cache_control", "type", "strict"))
        if tool.get("input_schema", {}).get("type") != "object" or not tool.get("name"):
            raise chat.Refusal(400, f"tools.{number}.custom.input_schema: Field required")
    if "tool_choice" in body and body["tool_choice"].get("type") not in ("auto", "any", "tool", "none"):
        raise chat.Refusal(400, "tool_choice: Input tag was not expected")


def check_message(path, message, known_tools):
    role = message.get("role")
    if role not in BLOCKS:
        raise chat.Refusal(400, f'messages: Unexpected role "{role}". The Messages API accepts a top-level `system` '
                           'parameter, not "system" as an input message role.')
    refuse_extra(path, message, ("role", "content"))
    content = message.get("content")
    if not content:
        raise chat.Refusal(400, f"{path}: all messages must have non-empty content")
    for number, block in enumerate([{"type": "text", "text": content}] if isinstance(content, str) else content):
        check_block(f"{path}.content.{number}", role, block, known_tools)


def check_block(path, role, block, known_tools):
    kind = block.get("type")
    if kind not in BLOCKS[role]:
        raise chat.Refusal(400, f"{path}: Input tag '{kind}' found using 'type' does not match any of those expected")
    if kind == "text" and not block.get("text", "").strip():
        raise chat.Refusal(400, "messages: text content blocks must be non-empty")
    if kind in ("image", "document"):
        source = block.get("source", {})
        needed = {"base64": ("media_type", "data"), "url": ("url",), "text": ("media_type", "data")}
        if any(not source.get(name) for name in needed.get(source.get("type"), ("type",))):
            raise chat.Refusal(400, f"{path}.source: Field required")
    if kind == "tool_use":
        if not isinstance(block.get("input"), dict):
            raise chat.Refusal(400, f"{path}.input: Input should be a valid dictionary")
        known_tools.add(block["id"])
    if kind == "tool_result" and block.get("tool_use_id") not in known_tools:
        raise chat.Refusal(400, f"{path}: unexpected `tool_use_id` found in `tool_result` blocks")
