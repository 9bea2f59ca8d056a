"""Roles that only AWS changes: service-linked ones and those of IAM Identity Center (D§4.4)."""

from ..call import Call
from ..errors import AwsError
from . import entities

_PATHS = (":role/aws-service-role/", ":role/aws-reserved/sso.amazonaws.com/")


def check(call: Call) -> None:
    name = call.params.get("RoleName")
    if name is None:
        return
    role = entities.role(call.partition, call.account, name)
    if role is not None and any(path in role.arn for path in _PATHS):
        raise AwsError(
            "UnmodifiableEntity",
            f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS",
        )
    if role is None and f":role{call.params.get('Path', '/')}".startswith(_PATHS):
        raise AwsError("ValidationError", "The path is reserved for AWS.")
