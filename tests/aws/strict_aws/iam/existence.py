"""NoSuchEntity in AWS's words, where moto has its own (D§4.7)."""

from collections.abc import Mapping

from moto.iam.models import Group, Role, User

from ..call import Call
from ..errors import AwsError
from . import entities

_CREATE = {"CreateRole", "CreateUser", "CreateGroup", "CreatePolicy"}
_ON_INLINE_POLICY = ("Get", "Delete")


def check(call: Call) -> None:
    backend = entities.backend(call.partition, call.account)
    params = call.params
    boundary = params.get("PermissionsBoundary")
    if boundary is not None and boundary not in backend.managed_policies:
        raise _no_such(f"Scope ARN: {boundary} does not exist or is not attachable.")
    if call.operation in _CREATE:
        return
    holders: list[tuple[str, Role | User | Group | None, str]] = []
    if "RoleName" in params:
        holders.append(("role", entities.role(call.partition, call.account, params["RoleName"]), params["RoleName"]))
    if "UserName" in params:
        holders.append(("user", backend.users.get(params["UserName"]), params["UserName"]))
    if "GroupName" in params:
        holders.append(("group", backend.groups.get(params["GroupName"]), params["GroupName"]))
    for kind, holder, name in holders:
        if holder is None:
            raise _no_such(f"The {kind} with name {name} cannot be found.")
        if "PolicyName" in params and call.operation.startswith(_ON_INLINE_POLICY):
            _inline(kind, holder.policies, params["PolicyName"])
    if "PolicyArn" in params:
        _managed(call, [holder for _, holder, _ in holders if holder is not None])


def _inline(kind: str, policies: Mapping[str, str], name: str) -> None:
    if name not in policies:
        raise _no_such(f"The {kind} policy with name {name} cannot be found.")


def _managed(call: Call, holders: list[Role | User | Group]) -> None:
    arn = call.params["PolicyArn"]
    policy = entities.backend(call.partition, call.account).managed_policies.get(arn)
    if policy is None:
        attaching = call.operation.startswith("Attach")
        raise _no_such(
            f"Policy {arn} does not exist or is not attachable." if attaching else f"Policy {arn} was not found."
        )
    if call.operation.startswith("Detach") and any(arn not in holder.managed_policies for holder in holders):
        raise _no_such(f"Policy {arn} was not found.")
    version = call.params.get("VersionId")
    if version and version not in {v.version_id for v in policy.versions}:
        raise _no_such(f"Policy {arn} version {version} does not exist or is not attachable.")


def _no_such(message: str) -> AwsError:
    return AwsError("NoSuchEntity", message, 404)
