"""Wildcards of policies: `*` is any text, `?` any one character."""

import re
from functools import lru_cache

from .context import Context

_VARIABLE = re.compile(r"\$\{([^}]+)\}")


@lru_cache(maxsize=65536)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    text = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile(text, (re.IGNORECASE if ignore_case else 0) | re.DOTALL)


def matches(pattern: str, value: str, ignore_case: bool = False) -> bool:
    return pattern == "*" or _compiled(pattern, ignore_case).fullmatch(value) is not None


def arn_matches(pattern: str, value: str) -> bool:
    """Each of the six parts of an ARN is matched on its own, so a `*` does not run over colons before the last."""
    parts, texts = pattern.split(":", 5), value.split(":", 5)
    return len(parts) == len(texts) and all(matches(p, t) for p, t in zip(parts, texts, strict=True))


def substitute(pattern: str, context: Context) -> str | None:
    """The pattern with its policy variables filled in; None where the request has no such value."""
    if "${" not in pattern:
        return pattern
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        if found[1] in "*?$":
            return found[1]
        values = context.get(found[1])
        missing = missing or not values
        return values[0] if values else ""

    text = _VARIABLE.sub(value, pattern)
    return None if missing else text
