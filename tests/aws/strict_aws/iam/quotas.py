"""How much fits (D§4.1). The live values are those of GetAccountSummary, so an adjusted quota counts at once."""

import re

from moto.iam.models import Group, IAMBackend, Role, User

from ..call import Call
from ..errors import AwsError
from . import entities

# White space is not counted. Whether that includes spaces inside of strings is not documented; here it does not.
_OUTSIDE_OF_STRINGS = re.compile(r'("(?:[^"\\]|\\.)*")|\s+')

_HOLDERS = {"RoleName": "Role", "UserName": "User", "GroupName": "Group"}


def counted_size(text: str) -> int:
    return len(_OUTSIDE_OF_STRINGS.sub(lambda found: found[1] or "", text))


def check(call: Call) -> None:
    backend = entities.backend(call.partition, call.account)
    quota = backend.account_summary.summary_map
    match call.operation:
        case "PutRolePolicy" | "PutUserPolicy" | "PutGroupPolicy":
            _inline(call, backend, quota)
        case "CreatePolicy" | "CreatePolicyVersion":
            if counted_size(call.params["PolicyDocument"]) > quota["PolicySizeQuota"]:
                raise _exceeded("PolicySize", quota["PolicySizeQuota"])
            if call.operation == "CreatePolicy" and quota["Policies"] >= quota["PoliciesQuota"]:
                raise _exceeded("PoliciesPerAccount", quota["PoliciesQuota"])
        case "AttachRolePolicy" | "AttachUserPolicy" | "AttachGroupPolicy":
            _attached(call, backend, quota)
        case "CreateRole" | "UpdateAssumeRolePolicy":
            text = call.params.get("AssumeRolePolicyDocument") or call.params.get("PolicyDocument", "")
            if counted_size(text) > quota["AssumeRolePolicySizeQuota"]:
                raise _exceeded("ACLSizePerRole", quota["AssumeRolePolicySizeQuota"])
            if call.operation == "CreateRole" and quota["Roles"] >= quota["RolesQuota"]:
                raise _exceeded("RolesPerAccount", quota["RolesQuota"])


def _holder(call: Call, backend: IAMBackend) -> tuple[str, str, Role | User | Group]:
    """(kind, name, holder) that a policy is put on or attached to. It exists: that was checked before."""
    parameter = next(name for name in _HOLDERS if name in call.params)
    name = call.params[parameter]
    kind = _HOLDERS[parameter]
    lookup = {"Role": backend.get_role, "User": backend.get_user, "Group": backend.get_group}
    return kind, name, lookup[kind](name)


def _inline(call: Call, backend: IAMBackend, quota: dict[str, int]) -> None:
    kind, name, holder = _holder(call, backend)
    limit = quota[f"{kind}PolicySizeQuota"]
    # All inline policies of the holder count together, the new text in place of the one it replaces.
    texts = {**holder.policies, call.params["PolicyName"]: call.params["PolicyDocument"]}
    if sum(counted_size(text) for text in texts.values()) > limit:
        raise AwsError("LimitExceeded", f"Maximum policy size of {limit} bytes exceeded for {kind.lower()} {name}", 409)


def _attached(call: Call, backend: IAMBackend, quota: dict[str, int]) -> None:
    kind, _, holder = _holder(call, backend)
    limit = quota[f"AttachedPoliciesPer{kind}Quota"]
    if call.params["PolicyArn"] not in holder.managed_policies and len(holder.managed_policies) >= limit:
        raise _exceeded(f"PoliciesPer{kind}", limit)


def _exceeded(name: str, limit: int) -> AwsError:
    return AwsError("LimitExceeded", f"Cannot exceed quota for {name}: {limit}", 409)
