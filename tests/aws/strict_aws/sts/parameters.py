"""The forms of STS parameters (D§6.4)."""

import re

from ..call import Call
from ..errors import AwsError

_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


def role_arn(call: Call) -> str:
    return _required(call, "RoleArn")


def session_name(call: Call) -> str:
    name = _required(call, "RoleSessionName")
    if not _SESSION_NAME.fullmatch(name):
        raise invalid(name, "roleSessionName", "Member must satisfy regular expression pattern: [\\w+=,.@-]*")
    return name


def external_id(call: Call) -> str | None:
    value = call.params.get("ExternalId")
    if value is not None and not _EXTERNAL_ID.fullmatch(value):
        raise invalid(value, "externalId", "Member must satisfy regular expression pattern: [\\w+=,.@:\\/-]*")
    return value


def duration(call: Call) -> int:
    text = call.params.get("DurationSeconds", "3600")
    seconds = int(text) if text.isdigit() else 0
    if not 900 <= seconds <= 43_200:
        raise invalid(text, "durationSeconds", "Member must have value between 900 and 43200")
    return seconds


def _required(call: Call, name: str) -> str:
    value = call.params.get(name)
    if not value:
        raise invalid("null", name[0].lower() + name[1:], "Member must not be null")
    return value


def invalid(value: str, name: str, constraint: str) -> AwsError:
    return AwsError(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {constraint}",
    )
