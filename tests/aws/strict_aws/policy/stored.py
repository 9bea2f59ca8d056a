"""A policy as AWS keeps it: principals by unique id, so that a recreated role is somebody else (D§1.4)."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..iam import entities
from ..world import World
from .document import Statement, as_list, compile_document, statements_of

_ACCOUNT = re.compile(r"\d{12}")
_ROOT = re.compile(r"arn:(?P<partition>[a-z-]+):iam::(?P<account>\d{12}):root")
_SESSION = re.compile(
    r"arn:(?P<partition>[a-z-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/*?]+)/(?P<session>[^/*?]+)"
)
_FEDERATED_USER = re.compile(r"arn:(?P<partition>[a-z-]+):sts::(?P<account>\d{12}):federated-user/[^/*?]+")
_UNIQUE_ID = re.compile(r"A(?:ROA|IDA)[A-Z0-9]{12,}")


class InvalidPrincipal(Exception):
    """Names nobody that exists and is visible. AWS does not say which one it was (D§1.5)."""

    def __init__(self, principal: Any):
        super().__init__(str(principal))
        self.principal = principal


@dataclass(frozen=True)
class _Pin:
    account: str
    partition: str


Visible = Callable[[Any], bool]


class StoredPolicy:
    def __init__(self, document: dict[str, Any], pins: dict[str, _Pin]):
        self._document = document
        self._pins = pins

    @classmethod
    def pin(
        cls, world: World, partition: str, document: dict[str, Any], visible: Visible = lambda _: True
    ) -> "StoredPolicy":
        """Takes the document over with every role and user replaced by its unique id. Raises `InvalidPrincipal`.

        `visible` says whether a role or user that exists has reached the service that stores the policy.
        """
        pins: dict[str, _Pin] = {}

        def replace(entry: str) -> str:
            return _pinned(world, partition, entry, pins, visible)

        return cls(_map_principals(document, replace, lambda entries: entries), pins)

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        return compile_document(self._document)

    def render(self) -> str:
        """The text that a read answers: other spacing, one-element lists as bare values, principals in any order."""
        document = _map_principals(self._document, self._arn_of, _shuffled)
        return json.dumps(_unwrapped(document), indent=2, separators=(",", " : "), ensure_ascii=False)

    @property
    def orphaned(self) -> bool:
        """Whether a role or user that it names is gone."""
        return any(
            entities.by_id(pin.partition, pin.account, unique_id) is None for unique_id, pin in self._pins.items()
        )

    def _arn_of(self, entry: str) -> str:
        pin = self._pins.get(entry)
        if pin is None:
            return entry
        entity = entities.by_id(pin.partition, pin.account, entry)
        # After deletion the bare id is read back, and a new entity of the same name does not change that.
        return entity.arn if entity is not None else entry


def _pinned(world: World, partition: str, entry: Any, pins: dict[str, _Pin], visible: Visible) -> str:
    if not isinstance(entry, str):
        raise InvalidPrincipal(entry)
    if entry == "*":
        return entry
    if _ACCOUNT.fullmatch(entry):
        entry = f"arn:{partition}:iam::{entry}:root"
    if root := _ROOT.fullmatch(entry):
        _require_account(world, partition, root, entry)
        return entry
    if session := _SESSION.fullmatch(entry):
        _require_account(world, partition, session, entry)
        if entities.role(partition, session["account"], session["role"]) is None:
            raise InvalidPrincipal(entry)
        return entry
    if federated := _FEDERATED_USER.fullmatch(entry):
        _require_account(world, partition, federated, entry)
        return entry
    return _pinned_entity(world, partition, entry, pins, visible)


def _require_account(world: World, partition: str, found: re.Match[str], entry: str) -> None:
    if found["partition"] != partition or world.account(partition, found["account"]) is None:
        raise InvalidPrincipal(entry)


def _pinned_entity(world: World, partition: str, entry: str, pins: dict[str, _Pin], visible: Visible) -> str:
    entity, account = None, None
    if _UNIQUE_ID.fullmatch(entry):
        # The id of a living entity is as good as its ARN; an orphaned one names nobody [inferred from D§1.4].
        for known in world.accounts_of(partition):
            entity = entities.by_id(partition, known.id, entry)
            if entity is not None:
                account = known.id
                break
    elif (arn := entities.parse_arn(entry)) and arn.partition == partition and world.account(partition, arn.account):
        entity, account = entities.by_arn(entry), arn.account
    if entity is None or account is None or not visible(entity):
        raise InvalidPrincipal(entry)
    pins[entity.id] = _Pin(account, partition)
    return entity.id


def _shuffled(entries: list[str]) -> list[str]:
    return random.sample(entries, len(entries))


def _map_principals(
    document: dict[str, Any], replace: Callable[[str], str], arrange: Callable[[list[str]], list[str]]
) -> dict[str, Any]:
    def mapped(value: Any) -> Any:
        if not isinstance(value, dict) or "AWS" not in value:
            return value
        return {**value, "AWS": arrange([replace(entry) for entry in as_list(value["AWS"])])}

    statements = [
        {key: mapped(value) if key in ("Principal", "NotPrincipal") else value for key, value in statement.items()}
        for statement in statements_of(document)
    ]
    return {**document, "Statement": statements}


def _unwrapped(document: dict[str, Any]) -> dict[str, Any]:
    """One-element arrays become bare values, except the list of statements itself."""

    def bare(value: Any) -> Any:
        if isinstance(value, list):
            return value[0] if len(value) == 1 else value
        if isinstance(value, dict):
            return {key: bare(item) for key, item in value.items()}
        return value

    return {**document, "Statement": [bare(statement) for statement in document["Statement"]]}
