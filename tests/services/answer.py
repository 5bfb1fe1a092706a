"""Answers as text, as scenarios write them.

    [MANNER…] STATUS [Name:value…] [BODY]

MANNER is one of wire.MANNERS. BODY is the rest of the line, sent as JSON when it is some, or @NAME for one of the files
in `files`. A header's value has no blanks; Retry-After:date+3 is the HTTP date three seconds from now. In bodies and
headers $NAME stands for what the service says it does.
"""
import email.utils
import json
import re

from . import files, wire

HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*:\S+\Z")
SILENCE = ("reset", "silent", "trickle")


def fill(text, names):
    """`text` with every $NAME that is known replaced."""
    return re.sub(r"\$([a-z0-9_]+)", lambda m: str(names.get(m[1], m[0])), text)


def split_manner(text):
    """The manner that the text begins with, "whole" when with none, and the rest."""
    word, _, rest = text.partition(" ")
    return (word, rest.strip()) if word in wire.MANNERS else ("whole", text)


def parse(text, names, now_s):
    """The wire.Reply that the text means; `now_s` is the wall time that dates count from."""
    manner, rest = split_manner(text)
    if manner in SILENCE:
        assert rest == "", f"nothing is answered after {manner}: {rest}"
        return wire.Reply(manner=manner)
    status, _, rest = rest.partition(" ")
    assert status.isdigit(), f"an HTTP status was expected: {text}"
    headers = {}
    while rest:
        word, _, after = rest.partition(" ")
        if not HEADER.match(word):
            break
        name, value = word.split(":", 1)
        headers[name], rest = header_value(fill(value, names), now_s), after.strip()
    kind, body = body_of(fill(rest, names))
    if kind and "content-type" not in (name.lower() for name in headers):
        headers["Content-Type"] = kind
    return wire.Reply(int(status), headers, body, manner)


def header_value(value, now_s):
    if value.startswith("date+"):
        return email.utils.formatdate(now_s + float(value[5:]), usegmt=True)
    return value


def body_of(text):
    if text == "":
        return None, b""
    if text.startswith("@"):
        return files.BY_NAME[text[1:]]
    if text[0] in "{[":
        return "application/json", json.dumps(json.loads(text)).encode()
    return ("text/html" if text[0] == "<" else "text/plain"), text.encode()
