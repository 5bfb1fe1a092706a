"""No comparison of what is secret ends early: read from the source, since time itself is no matter for a test that must not fail by
chance. `ninja -C build tests/attack/timing && build/tests/attack/timing` measures it on demand."""
import pathlib
import re

SRC = pathlib.Path(__file__).resolve().parents[2] / "src"
# What ends at the first difference, and what secrets are called here.
EARLY = re.compile(r"\b(memcmp|strn?cmp|strn?casecmp|text_equal\w*|text_starts|bcmp)\s*\(([^;]*)")
SECRET = re.compile(r"\b(\w*signature\w*|\w*mac|secret\w*|\w*->secrets?\b|expected|token|password)\b(?!\s*\()")
# What looks like one and is none: names of things, by file and a part of the line.
HARMLESS = {
    ("callback/signature.c", "TEXT(PREFIX)"),                # the public start of every secret
    ("engine/hook/token.c", "text_of(canonical)"),           # what was sent, with itself in its usual spelling; the MAC comes after
    ("engine/file/results.c", "text_starts(t, token)"),      # marks within an adapter's own results
    ("provider/bridge_check.c", "results->token"), ("provider/bridge_results.c", "results->token"),
    ("provider/bridge_results.c", "text_starts(string, token)"), # the same
    ("net/webhook_keys.c", "strcmp(value, expected)"),       # names of a published key's form
    ("remote/credentials.c", "text_starts(rest, secret)"),   # what a service says is searched for the key that it was given
}


def lines():
    for path in sorted(SRC.rglob("*.c")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            yield str(path.relative_to(SRC)), number, line


def suspicious():
    for path, number, line in lines():
        match = EARLY.search(line)
        if match and not any(path == known and part in line for known, part in HARMLESS):
            arguments = re.sub(r'TEXT\("[^"]*"\)|"(\\.|[^"])*"', "", match.group(2))
            if SECRET.search(arguments):
                yield path, number, line.strip()


def test_secrets_are_compared_in_constant_time():
    assert list(suspicious()) == []
    compared = {path for path, _, line in lines() if "crypto_equal(" in line}
    assert compared >= {"base/crypto.c", "blob/link.c", "engine/hook/token.c", "net/webhook.c"}
    crypto = (SRC / "base" / "crypto.c").read_text()
    short_mac = (SRC / "base" / "crypto.h").read_text()
    assert re.search(r"bool crypto_short_mac_equal\(.*\n(    .*\n){4}"
                     r"    return \(\(of_a\[0\] \^ of_b\[0\]\) \| \(of_a\[1\] \^ of_b\[1\]\)\) == 0;", short_mac)
    assert re.search(r"bool crypto_equal\(.*\n    return sodium_memcmp\(a, b, count\) == 0;", crypto)


def test_a_comparison_that_ends_early_would_be_found():
    for line in ("if (memcmp(mac, expected, 32) == 0)", "return strcmp(given, secret) == 0;", "text_equal(signature, other)"):
        match = EARLY.search(line)
        assert match and SECRET.search(match.group(2)), line


def test_keys_are_found_by_their_hash():
    """SHA-256 of the whole key is looked up in the store, and in memory a MAC of it under a secret of the cache's; what time
    tells of either leads to no key."""
    cache = (SRC / "api" / "door" / "auth_cache.c").read_text()
    assert re.findall(r"(\w+)\(set->entries\[i\]\.mac, mac\)", cache) == ["crypto_short_mac_equal"]
    assert not re.search(r"(cmp|text_equal)\w*\(", cache) and "crypto_short_mac(cache->secret, token, mac)" in cache
    key = (SRC / "core" / "api_key.c").read_text()
    assert "crypto_sha256(" in key
    schema = "".join(path.read_text() for path in sorted((SRC.parent / "sql").glob("*.sql")))
    for table in ("api_key", "admin_key"):
        columns = re.search(rf"CREATE TABLE {table} \((.*?)\n\)", schema, re.S)
        assert columns and re.search(r"^\s*hash\s+BLOB", columns.group(1), re.M), table
        assert not re.search(r"^\s*(key|secret|token)\s", columns.group(1), re.M), table
