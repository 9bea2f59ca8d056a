"""Which resource and condition keys an IAM call is authorized on."""

from moto.iam.models import Role, User

from ..call import Call
from ..identity.principal import Principal
from ..policy.context import Value
from . import entities


def resource_arn(call: Call, caller: Principal) -> str:
    params = call.params
    prefix = f"arn:{caller.partition}:iam::{caller.account}"
    if "RoleName" in params:
        existing = entities.role(caller.partition, caller.account, params["RoleName"])
        return existing.arn if existing else f"{prefix}:role{params.get('Path', '/')}{params['RoleName']}"
    if "GroupName" in params:
        group = entities.backend(caller.partition, caller.account).groups.get(params["GroupName"])
        return group.arn if group else f"{prefix}:group{params.get('Path', '/')}{params['GroupName']}"
    if "UserName" in params:
        known = entities.user(caller.partition, caller.account, params["UserName"])
        return known.arn if known else f"{prefix}:user{params.get('Path', '/')}{params['UserName']}"
    if "PolicyName" in params:
        return f"{prefix}:policy{params.get('Path', '/')}{params['PolicyName']}"
    if "Url" in params:
        return f"{prefix}:oidc-provider/{params['Url'].removeprefix('https://')}"
    return params.get("PolicyArn") or params.get("OpenIDConnectProviderArn") or _own(call, caller)


def _own(call: Call, caller: Principal) -> str:
    return caller.arn if call.operation == "GetUser" and caller.kind == "user" else "*"


def condition_keys(call: Call, caller: Principal) -> dict[str, Value]:
    params = call.params
    entity = entity_of(call, caller)
    return {
        "iam:PolicyARN": params.get("PolicyArn") if call.operation.startswith(("Attach", "Detach")) else None,
        "iam:PermissionsBoundary": params.get("PermissionsBoundary") or entities.boundary_arn(entity),
    }


def entity_of(call: Call, caller: Principal) -> Role | User | None:
    """The role or user that the call names, if it exists."""
    if "RoleName" in call.params:
        return entities.role(caller.partition, caller.account, call.params["RoleName"])
    if "UserName" in call.params:
        return entities.user(caller.partition, caller.account, call.params["UserName"])
    return None
