"""fal's webhooks: signed with Ed25519 over request id, user id, timestamp and the body's hash; the key is in a JWKS."""
import base64
import hashlib
import http.client
import json
import urllib.parse

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

USER = "github|fake-user"
SEED = bytes(range(32))        # no secret: these keys sign for tests alone
OTHER_SEED = bytes(range(32, 64))
STALE_S = 301                  # just over the tolerance


def key_set(*seeds):
    """The JWKS with the public halves."""
    def jwk(seed):
        raw = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
                "x": base64.urlsafe_b64encode(raw).rstrip(b"=").decode()}

    return {"keys": [jwk(seed) for seed in seeds]}


def signature(seed, request_id, user, timestamp, body):
    """Hex, as the header has it."""
    signed = "\n".join([request_id, user, str(timestamp), hashlib.sha256(body).hexdigest()]).encode()
    return Ed25519PrivateKey.from_private_bytes(seed).sign(signed).hex()


def headers(request_id, body, how, now_s):
    """`how`: signed, forged (by a key that is not in the set), altered (another body was signed), stale, unsigned."""
    if how == "unsigned":
        return {}
    timestamp = int(now_s) - (STALE_S if how == "stale" else 0)
    seed = OTHER_SEED if how == "forged" else SEED
    signed = body + b" " if how == "altered" else body
    return {"X-Fal-Webhook-Request-Id": request_id, "X-Fal-Webhook-User-Id": USER,
            "X-Fal-Webhook-Timestamp": str(timestamp),
            "X-Fal-Webhook-Signature": signature(seed, request_id, USER, timestamp, signed)}


def body_of(request_id, status, payload):
    """`status` below 400: OK with the output as payload; else ERROR with the model's error body as payload."""
    body = {"request_id": request_id, "gateway_request_id": request_id, "status": "OK" if status < 400 else "ERROR",
            "payload": payload}
    if status >= 400:
        body["error"] = f"Invalid status code: {status}"
    return json.dumps(body).encode()


def send(url, request_id, body, how, now_s):
    """The HTTP status that the receiver answers; None when it does not."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=15)
    try:
        target = parts.path + ("?" + parts.query if parts.query else "")
        connection.request("POST", target, body, {"Content-Type": "application/json", "User-Agent": "fal-webhook",
                                                  **headers(request_id, body, how, now_s)})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
