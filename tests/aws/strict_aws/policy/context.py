"""The condition keys of one request. Keys are case-insensitive, each has a list of values."""

from collections.abc import Iterable

Value = str | bool | int | Iterable[str] | None


class Context:
    def __init__(self, values: dict[str, Value] | None = None):
        self._values: dict[str, list[str]] = {}
        self.update(values or {})

    def update(self, values: dict[str, Value]) -> None:
        for key, value in values.items():
            if value is not None:
                self._values[key.lower()] = _texts(value)

    def get(self, key: str) -> list[str] | None:
        return self._values.get(key.lower())

    def extended(self, values: dict[str, Value]) -> "Context":
        new = Context()
        new._values = dict(self._values)
        new.update(values)
        return new


def _texts(value: Value) -> list[str]:
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, str | int):
        return [str(value)]
    return [str(item) for item in value or ()]
