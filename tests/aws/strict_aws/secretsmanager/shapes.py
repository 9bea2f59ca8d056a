"""What the API model says of a request: required members, lengths, patterns, enumerations (D§5.6).

Taken from the model that boto3 is built on. Values are never repeated in a message; some of them are secret.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, Shape

from ..errors import AwsError

_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "blob": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "list": list,
    "structure": dict,
}


def check(operation: str, params: dict[str, Any]) -> None:
    shape = _models()[operation].input_shape
    problems = list(_problems(shape, params, ""))
    if problems:
        number = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
        raise AwsError("ValidationException", f"{number}: {'; '.join(problems)}")


@lru_cache(maxsize=1)
def _models() -> dict[str, OperationModel]:
    service = botocore.session.get_session().get_service_model("secretsmanager")
    return {name: service.operation_model(name) for name in service.operation_names}


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, _PYTHON_TYPES.get(shape.type_name, object)):
        raise AwsError("SerializationException", f"Expected {shape.type_name} at '{path}'")
    match shape.type_name:
        case "structure":
            yield from _members(shape, value, path)
        case "list":
            yield from _length(shape, len(value), path)
            for number, item in enumerate(value, 1):
                yield from _problems(shape.member, item, f"{path}.{number}.member")
        case "string":
            yield from _length(shape, len(value), path)
            yield from _text(shape, value, path)
        case "blob":
            yield from _length(shape, _size(value, path), path)
        case "integer" | "long":
            yield from _range(shape, value, path)


def _members(shape: Shape, value: dict[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        inner = f"{path}.{_camel(name)}" if path else _camel(name)
        if value.get(name) is not None:
            yield from _problems(member, value[name], inner)
        elif name in shape.required_members:
            yield f"Value null at '{inner}' failed to satisfy constraint: Member must not be null"


def _length(shape: Shape, length: int, path: str) -> Iterator[str]:
    if length > shape.metadata.get("max", length):
        yield _failed(path, f"Member must have length less than or equal to {shape.metadata['max']}")
    if length < shape.metadata.get("min", 0):
        yield _failed(path, f"Member must have length greater than or equal to {shape.metadata['min']}")


def _range(shape: Shape, value: int, path: str) -> Iterator[str]:
    if value > shape.metadata.get("max", value):
        yield _failed(path, f"Member must have value less than or equal to {shape.metadata['max']}")
    if value < shape.metadata.get("min", value):
        yield _failed(path, f"Member must have value greater than or equal to {shape.metadata['min']}")


def _text(shape: Shape, value: str, path: str) -> Iterator[str]:
    pattern, choices = shape.metadata.get("pattern"), shape.metadata.get("enum")
    if pattern and not re.fullmatch(pattern, value):
        yield _failed(path, f"Member must satisfy regular expression pattern: {pattern}")
    if choices and value not in choices:
        yield _failed(path, f"Member must satisfy enum value set: [{', '.join(choices)}]")


def _size(encoded: str, path: str) -> int:
    try:
        return len(base64.b64decode(encoded, validate=True))
    except binascii.Error as error:
        raise AwsError("SerializationException", f"Expected base64 at '{path}'") from error


def _failed(path: str, constraint: str) -> str:
    return f"Value at '{path}' failed to satisfy constraint: {constraint}"


def _camel(name: str) -> str:
    return name[0].lower() + name[1:]
