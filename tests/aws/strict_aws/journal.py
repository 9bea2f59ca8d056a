"""Which calls were made: a bounded log in order, and counters that tests compare."""

import itertools
import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

_KEPT = 100_000

# What counters and log can be asked by; principal and resource take `*`.
FILTERS = ("account", "partition", "principal", "service", "operation", "region", "resource", "result")


@dataclass(frozen=True)
class Entry:
    seq: int
    time: float
    account: str
    partition: str
    principal: str
    service: str
    operation: str
    region: str
    resource: str
    # "OK", an error code, or "ConnectionCut".
    result: str
    status: int

    def matches(self, filters: dict[str, str]) -> bool:
        return all(fnmatchcase(getattr(self, name), pattern) for name, pattern in filters.items())


class Journal:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seq = itertools.count(1)
        self._log: deque[Entry] = deque(maxlen=_KEPT)
        self._counts: Counter[Entry] = Counter()

    def record(self, **values: Any) -> None:
        with self._lock:
            self._log.append(Entry(seq=next(self._seq), time=time.time(), **values))
            # Counters outlive the bounded log; the entry without its moment is their key.
            self._counts[Entry(seq=0, time=0, **values)] += 1

    def counters(self, filters: dict[str, str]) -> list[dict[str, Any]]:
        """Calls by account, service, operation and result."""
        sums: Counter[tuple[str, str, str, str]] = Counter()
        with self._lock:
            for entry, count in self._counts.items():
                if entry.matches(filters):
                    sums[entry.account, entry.service, entry.operation, entry.result] += count
        return [
            {"account": account, "service": service, "operation": operation, "result": result, "count": count}
            for (account, service, operation, result), count in sorted(sums.items())
        ]

    def log(self, filters: dict[str, str], since: int) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(entry) for entry in self._log if entry.seq > since and entry.matches(filters)]

    def reset(self, filters: dict[str, str]) -> None:
        with self._lock:
            self._log = deque((entry for entry in self._log if not entry.matches(filters)), maxlen=_KEPT)
            self._counts = Counter({entry: n for entry, n in self._counts.items() if not entry.matches(filters)})
