"""Pages of lists: IsTruncated and Marker, and fewer items than asked for (D§4.3)."""

import base64
from typing import Any

from moto.core.responses import ActionResult

from ..call import Call
from ..errors import AwsError
from ..world import World

_DEFAULT = 100

# The lists that an answer consists of; several count as one that is read in this order.
_LISTS: dict[str, tuple[str, ...]] = {
    "ListAccessKeys": ("AccessKeyMetadata",),
    "ListAttachedGroupPolicies": ("AttachedPolicies",),
    "ListAttachedRolePolicies": ("AttachedPolicies",),
    "ListAttachedUserPolicies": ("AttachedPolicies",),
    "ListEntitiesForPolicy": ("PolicyGroups", "PolicyUsers", "PolicyRoles"),
    "ListGroupPolicies": ("PolicyNames",),
    "ListGroups": ("Groups",),
    "ListGroupsForUser": ("Groups",),
    "ListPolicies": ("Policies",),
    "ListPolicyTags": ("Tags",),
    "ListPolicyVersions": ("Versions",),
    "ListRolePolicies": ("PolicyNames",),
    "ListRoleTags": ("Tags",),
    "ListRoles": ("Roles",),
    "ListUserPolicies": ("PolicyNames",),
    "ListUserTags": ("Tags",),
    "ListUsers": ("Users",),
    "GetGroup": ("Users",),
    "GetAccountAuthorizationDetails": ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"),
}


def page(world: World, call: Call, result: ActionResult) -> ActionResult:
    names = _LISTS.get(call.operation)
    if names is None or not isinstance(result.result, dict):
        return result
    items = [(name, item) for name in names for item in result.result.get(name) or ()]
    start = _start(call.params.get("Marker"))
    end = start + _size(world, call)
    answer: dict[str, Any] = {**result.result, **{name: [] for name in names}}
    for name, item in items[start:end]:
        answer[name].append(item)
    answer["IsTruncated"] = end < len(items)
    answer["Marker"] = base64.urlsafe_b64encode(f"from:{end}".encode()).decode() if end < len(items) else None
    return ActionResult(answer)


def _size(world: World, call: Call) -> int:
    text = call.params.get("MaxItems", str(_DEFAULT))
    asked = int(text) if text.isdigit() else 0
    if not 1 <= asked <= 1000:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{text}' at 'maxItems' failed to satisfy constraint: "
            "Member must have value between 1 and 1000",
        )
    return min(asked, world.options.page_size)


def _start(marker: str | None) -> int:
    if marker is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(marker).decode().removeprefix("from:"))
    except ValueError as error:
        raise AwsError("ValidationError", "Invalid Marker.") from error
