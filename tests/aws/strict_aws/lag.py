"""Reads that lag behind writes, by account: GetKeyPolicy, IAM's reads, DescribeSecret and GetResourcePolicy.

D§1.4, D§1.5, D§4.7.

A read at time t with a lag of N ms sees the state at t - N. With flapping, each read sees that state or the present
one.
"""

import copy
import random
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.iam.models import iam_backends
from moto.kms.models import Key

if TYPE_CHECKING:
    from .policy.stored import StoredPolicy
    from .secretsmanager.model import Place, Secret


@dataclass(frozen=True)
class Setting:
    seconds: float
    flapping: bool


# When a write happened, and the state before it.
History = deque[tuple[float, Any]]
_KEPT = 64


class Lag:
    def __init__(self) -> None:
        # By account id, in all partitions: a test's account is its own.
        self._settings: dict[str, Setting] = {}
        self._policies: dict[str, History] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._secrets: dict[Place, History] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._iam: dict[tuple[str, str], History] = defaultdict(lambda: deque(maxlen=_KEPT))

    def set(self, account: str, milliseconds: int, flapping: bool) -> None:
        if milliseconds:
            self._settings[account] = Setting(milliseconds / 1000, flapping)
        else:
            self._settings.pop(account, None)

    def before_policy_write(self, key: Key, before: "StoredPolicy") -> None:
        if key.account_id in self._settings:
            self._policies[key.arn].append((time.monotonic(), before))

    def policy_to_read(self, key: Key, current: "StoredPolicy") -> "StoredPolicy":
        return self._seen(key.account_id, self._policies[key.arn], current)

    def before_secret_write(self, place: "Place", before: "Secret | None") -> None:
        if place.account in self._settings:
            self._secrets[place].append((time.monotonic(), before.snapshot() if before else None))

    def secret_to_read(self, current: "Secret") -> "Secret | None":
        """None where the read does not yet see that the secret was created."""
        return self._seen(current.place.account, self._secrets[current.place], current)

    @contextmanager
    def iam_write(self, partition: str, account: str) -> Iterator[None]:
        if account in self._settings:
            before = copy.deepcopy(iam_backends[account][partition])
            self._iam[partition, account].append((time.monotonic(), before))
        yield

    @contextmanager
    def iam_to_read(self, partition: str, account: str) -> Iterator[None]:
        """Puts IAM as it is seen in the place of IAM as it is, under the world's lock."""
        backends = iam_backends[account]
        current = backends[partition]
        seen = self._seen(account, self._iam[partition, account], current)
        if seen is not current:
            backends[partition] = seen
        try:
            yield
        finally:
            if seen is not current:
                backends[partition] = current

    def _seen(self, account: str, history: History, current: Any) -> Any:
        setting = self._settings.get(account)
        if setting is None:
            return current
        horizon = time.monotonic() - setting.seconds
        while history and history[0][0] <= horizon:
            history.popleft()
        if not history or (setting.flapping and random.random() < 0.5):
            return current
        return history[0][1]
