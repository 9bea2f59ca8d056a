"""Whether a policy opens a secret to everyone, which `BlockPublicPolicy` refuses (D§5.7).

A statement for `*` is narrow enough if a condition ties it to known principals, networks or sources.
"""

from ..policy.conditions import Condition
from ..policy.document import Statement

_NARROWING_KEYS = {
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:sourceip",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
}
_NARROWING_OPERATORS = {"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "IpAddress"}


def is_public(statements: tuple[Statement, ...]) -> bool:
    return any(_opens_to_all(statement) for statement in statements)


def _opens_to_all(statement: Statement) -> bool:
    if not statement.allows:
        return False
    everyone = statement.principals is None or "*" in statement.principals.get("AWS", ())
    return everyone and not any(_narrows(condition) for condition in statement.conditions)


def _narrows(condition: Condition) -> bool:
    return (
        condition.key.lower() in _NARROWING_KEYS
        and condition.operator in _NARROWING_OPERATORS
        # Both hold for requests without the key.
        and not condition.if_exists
        and condition.qualifier != "forallvalues"
        and not any(value in ("*", "0.0.0.0/0", "::/0") for value in condition.wanted)
    )
