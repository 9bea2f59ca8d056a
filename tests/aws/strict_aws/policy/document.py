"""A policy document, compiled once for evaluation. Grammar is checked elsewhere, when a document is stored."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .conditions import Condition
from .context import Context
from .match import matches, substitute


@dataclass(frozen=True)
class Statement:
    sid: str
    allows: bool
    actions: tuple[str, ...] | None
    not_actions: tuple[str, ...] | None
    resources: tuple[str, ...] | None
    not_resources: tuple[str, ...] | None
    # Principal by type ("AWS", "Service", "Federated"); "*" stands under "AWS".
    principals: dict[str, tuple[str, ...]] | None
    not_principals: dict[str, tuple[str, ...]] | None
    conditions: tuple[Condition, ...]

    def covers(self, action: str, resource: str, context: Context) -> bool:
        """Whether action, resource and conditions fit. Who calls is for the caller of this to decide."""
        return (
            self._covers_action(action)
            and self._covers_resource(resource, context)
            and all(condition.holds(context) for condition in self.conditions)
        )

    def _covers_action(self, action: str) -> bool:
        if self.actions is not None:
            return any(matches(pattern, action, ignore_case=True) for pattern in self.actions)
        if self.not_actions is not None:
            return not any(matches(pattern, action, ignore_case=True) for pattern in self.not_actions)
        # No Action: accepted in key policies, and of no effect (D§1.1).
        return False

    def _covers_resource(self, resource: str, context: Context) -> bool:
        if self.resources is not None:
            return any(_resource_matches(pattern, resource, context) for pattern in self.resources)
        if self.not_resources is not None:
            return not any(_resource_matches(pattern, resource, context) for pattern in self.not_resources)
        return False


def _resource_matches(pattern: str, resource: str, context: Context) -> bool:
    filled = substitute(pattern, context)
    return filled is not None and matches(filled, resource)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    return as_list(document.get("Statement", []))


@lru_cache(maxsize=16384)
def compile_text(text: str) -> tuple[Statement, ...]:
    return compile_document(json.loads(text))


def compile_document(document: dict[str, Any]) -> tuple[Statement, ...]:
    return tuple(_statement(raw) for raw in statements_of(document))


def _statement(raw: dict[str, Any]) -> Statement:
    conditions = tuple(
        Condition.of(operator, key, as_list(values))
        for operator, block in raw.get("Condition", {}).items()
        for key, values in block.items()
    )
    return Statement(
        sid=raw.get("Sid", ""),
        allows=str(raw.get("Effect", "")).lower() == "allow",
        actions=_texts(raw, "Action"),
        not_actions=_texts(raw, "NotAction"),
        resources=_texts(raw, "Resource"),
        not_resources=_texts(raw, "NotResource"),
        principals=_principals(raw, "Principal"),
        not_principals=_principals(raw, "NotPrincipal"),
        conditions=conditions,
    )


def _texts(raw: dict[str, Any], element: str) -> tuple[str, ...] | None:
    return tuple(as_list(raw[element])) if element in raw else None


def _principals(raw: dict[str, Any], element: str) -> dict[str, tuple[str, ...]] | None:
    if element not in raw:
        return None
    value = raw[element]
    if value == "*":
        return {"AWS": ("*",)}
    return {kind: tuple(as_list(names)) for kind, names in value.items()}


def any_covers(statements: Iterable[Statement], allows: bool, action: str, resource: str, context: Context) -> bool:
    return any(s.allows is allows and s.covers(action, resource, context) for s in statements)
