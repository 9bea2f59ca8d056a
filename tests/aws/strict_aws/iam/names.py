"""Names of IAM: their form, and that case does not make them different (D§4.1, D§4.3)."""

import re

from ..call import Call
from ..errors import AwsError
from . import entities

_LIMITS = {"RoleName": 64, "UserName": 64, "GroupName": 128, "PolicyName": 128}
_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_PATH = re.compile(r"/|/[\u0021-\u007e]{1,510}/")


def check_form(call: Call) -> None:
    for parameter, limit in _LIMITS.items():
        name = call.params.get(parameter)
        if name is None:
            continue
        where = parameter[0].lower() + parameter[1:]
        if not _NAME.fullmatch(name):
            raise _invalid(name, where, "Member must satisfy regular expression pattern: [\\w+=,.@-]+")
        if len(name) > limit:
            raise _invalid(name, where, f"Member must have length less than or equal to {limit}")
    path = call.params.get("Path")
    if path is not None and not _PATH.fullmatch(path):
        raise _invalid(
            path, "path", "Member must satisfy regular expression pattern: (\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)"
        )


def check_unique(call: Call) -> None:
    backend = entities.backend(call.partition, call.account)
    params = call.params
    match call.operation:
        case "CreateRole":
            kind, name, taken = "Role", params["RoleName"], (role.name for role in backend.roles.values())
        case "CreateUser":
            kind, name, taken = "User", params["UserName"], iter(backend.users)
        case "CreateGroup":
            kind, name, taken = "Group", params["GroupName"], iter(backend.groups)
        case "CreatePolicy":
            kind, name = "A policy called", params["PolicyName"]
            taken = (policy.name for policy in backend.managed_policies.values())
        case _:
            return
    if name.lower() in {other.lower() for other in taken}:
        text = (
            f"{kind} {name} already exists. Duplicate names are not allowed."
            if " " in kind
            else f"{kind} with name {name} already exists."
        )
        raise AwsError("EntityAlreadyExists", text, 409)


def _invalid(value: str, where: str, constraint: str) -> AwsError:
    return AwsError(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: {constraint}",
    )
