"""Faults on demand: errors, statuses, hangs, cut connections, and answers lost after the call was performed."""

import itertools
import random
import threading
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

from .call import Call
from .errors import AwsError
from .httpd import ConnectionCut

_READS = ("Get", "List", "Describe", "Assume", "Validate")
_ids = itertools.count(1)


@dataclass
class Fault:
    # Which calls: absent means every one.
    service: str | None = None
    operation: str | None = None
    account: str | None = None  # the caller's; without one, that of the role asked for
    principal: str | None = None  # the caller's ARN, `*` allowed
    resource: str | None = None  # what the request names (key, role ARN, role name), `*` allowed
    writes: bool = False  # only calls that change something
    # What happens. `hang_ms` comes first and may stand alone: the call is then answered late.
    error: str | None = None
    message: str = "injected fault"
    status: int | None = None
    hang_ms: int = 0
    reset: bool = False
    # Perform the call first, and then do the above instead of answering.
    after_call: bool = False
    # When: after `skip` matching calls, `count` times, each with `probability`.
    skip: int = 0
    count: int | None = None
    probability: float = 1.0
    id: int = field(default_factory=lambda: next(_ids))
    hits: int = 0

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Fault":
        allowed = {f.name for f in fields(cls)} - {"id", "hits"}
        if unknown := values.keys() - allowed:
            raise ValueError(f"unknown fields {sorted(unknown)}; there are {sorted(allowed)}")
        fault = cls(**values)
        if not (fault.error or fault.status or fault.reset or fault.hang_ms):
            raise ValueError("a fault needs one of error, status, reset, hang_ms")
        return fault

    def matches(self, call: Call) -> bool:
        caller = call.principal
        return (
            self.service in (None, call.service)
            and self.operation in (None, call.operation)
            and self.account in (None, call.charged_account)
            and (self.principal is None or (caller is not None and fnmatchcase(caller.arn, self.principal)))
            and (self.resource is None or fnmatchcase(call.resource, self.resource))
            and not (self.writes and call.operation.startswith(_READS))
        )

    def strike(self, released: threading.Event) -> None:
        """Hangs, cuts or fails; returns if it only hangs. Hanging ends early when the fault is removed."""
        if self.hang_ms:
            released.wait(self.hang_ms / 1000)
        if self.reset:
            raise ConnectionCut
        if self.error or self.status:
            raise AwsError(self.error or "InternalFailure", self.message, self.status or _status_of(self.error or ""))


def _status_of(code: str) -> int:
    return 503 if code in ("ServiceUnavailable", "ServiceUnavailableException") else 400


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[int, tuple[Fault, threading.Event]] = {}

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults[fault.id] = (fault, threading.Event())

    def remove(self, fault_id: int | None) -> None:
        """Removes one, or all. Calls that hang in it go on."""
        with self._lock:
            for key in [fault_id] if fault_id is not None else list(self._faults):
                if found := self._faults.pop(key, None):
                    found[1].set()

    def all(self) -> list[Fault]:
        with self._lock:
            return [fault for fault, _ in self._faults.values()]

    def take(self, call: Call) -> tuple[Fault, threading.Event] | None:
        """The first fault that strikes this call; it is used up by one."""
        with self._lock:
            for fault, released in self._faults.values():
                if not fault.matches(call) or fault.count == 0:
                    continue
                if fault.skip:
                    fault.skip -= 1
                elif random.random() < fault.probability:
                    fault.hits += 1
                    fault.count = None if fault.count is None else fault.count - 1
                    return fault, released
        return None
