"""Signature Version 4, checked the way AWS does, so that mixed-up credentials show."""

import hashlib
import hmac
from functools import lru_cache
from urllib.parse import parse_qsl, quote

from ..call import Call, Signature


def is_valid(call: Call, signature: Signature, secret: str) -> bool:
    scope = f"{signature.date}/{signature.region}/{signature.service}/aws4_request"
    to_sign = "\n".join(
        (
            "AWS4-HMAC-SHA256",
            call.request.headers.get("x-amz-date", ""),
            scope,
            hashlib.sha256(_canonical_request(call, signature).encode()).hexdigest(),
        )
    )
    key = _signing_key(secret, signature.date, signature.region, signature.service)
    expected = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature.signature)


def _canonical_request(call: Call, signature: Signature) -> str:
    request = call.request
    query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in sorted(parse_qsl(request.query, keep_blank_values=True))
    )
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signature.signed_headers
    )
    return "\n".join(
        (
            request.method,
            quote(request.path or "/", safe="/-_.~"),
            query,
            headers,
            ";".join(signature.signed_headers),
            hashlib.sha256(request.body).hexdigest(),
        )
    )


@lru_cache(maxsize=1024)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
