"""Condition operators of IAM's policy language (D§2.4 lists the keys that matter here)."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .context import Context
from .match import arn_matches, matches, substitute


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(wanted: str, value: str) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return False

    return test


def _date(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def seconds(text: str) -> float:
        if text.replace(".", "", 1).isdigit():
            return float(text)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def test(wanted: str, value: str) -> bool:
        try:
            return compare(seconds(value), seconds(wanted))
        except ValueError:
            return False

    return test


def _in_network(wanted: str, value: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


_POSITIVE: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, value: wanted == value,
    "StringEqualsIgnoreCase": lambda wanted, value: wanted.lower() == value.lower(),
    "StringLike": matches,
    "ArnEquals": arn_matches,
    "ArnLike": arn_matches,
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
    "BinaryEquals": lambda wanted, value: wanted == value,
    "IpAddress": _in_network,
    "NumericEquals": _number(lambda a, b: a == b),
    "NumericLessThan": _number(lambda a, b: a < b),
    "NumericLessThanEquals": _number(lambda a, b: a <= b),
    "NumericGreaterThan": _number(lambda a, b: a > b),
    "NumericGreaterThanEquals": _number(lambda a, b: a >= b),
    "DateEquals": _date(lambda a, b: a == b),
    "DateLessThan": _date(lambda a, b: a < b),
    "DateLessThanEquals": _date(lambda a, b: a <= b),
    "DateGreaterThan": _date(lambda a, b: a > b),
    "DateGreaterThanEquals": _date(lambda a, b: a >= b),
}
_NEGATIVE = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}
_BY_LOWER_CASE = {name.lower(): name for name in [*_POSITIVE, *_NEGATIVE, "Null"]}


def operator_parts(operator: str) -> tuple[str, str, bool] | None:
    """(set qualifier, canonical operator, IfExists) of an operator as written; None where there is no such operator."""
    qualifier, _, name = operator.rpartition(":")
    if qualifier.lower() not in ("", "forallvalues", "foranyvalue"):
        return None
    name = name.lower()
    if_exists = name.endswith("ifexists")
    canonical = _BY_LOWER_CASE.get(name.removesuffix("ifexists"))
    if canonical is None or (canonical == "Null" and if_exists):
        return None
    return qualifier.lower(), canonical, if_exists


@dataclass(frozen=True)
class Condition:
    qualifier: str
    operator: str
    if_exists: bool
    key: str
    wanted: tuple[str, ...]

    @classmethod
    def of(cls, operator: str, key: str, wanted: list[Any]) -> "Condition":
        # An operator that does not exist was refused when the document was stored.
        qualifier, name, if_exists = operator_parts(operator) or ("", "Null", False)
        return cls(qualifier, name, if_exists, key, tuple(_text(value) for value in wanted))

    def holds(self, context: Context) -> bool:
        values = context.get(self.key)
        if self.operator == "Null":
            return ("true" in (w.lower() for w in self.wanted)) == (not values)
        if not values:
            # A missing key fails every positive operator and satisfies every negated one.
            return (
                self.if_exists
                or self.qualifier == "forallvalues"
                or (self.operator in _NEGATIVE and not self.qualifier)
            )
        wanted = [filled for text in self.wanted if (filled := substitute(text, context)) is not None]
        quantifier = all if self.qualifier == "forallvalues" else any
        if self.operator in _NEGATIVE:
            test = _POSITIVE[_NEGATIVE[self.operator]]
            hits = [any(test(w, value) for w in wanted) for value in values]
            return quantifier(not hit for hit in hits) if self.qualifier else not any(hits)
        test = _POSITIVE[self.operator]
        return quantifier(any(test(w, value) for w in wanted) for value in values)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
