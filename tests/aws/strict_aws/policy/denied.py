"""AWS's words for a refusal (D§9: the patterns that people and tools parse)."""

from ..identity.principal import Principal
from .identity_side import IdentitySide

_ARTICLES = {"identity-based policy", "resource-based policy", "permissions boundary", "session policy"}


def not_allowed(caller: Principal, action: str, resource: str, missing: str) -> str:
    """Nobody denied it, but `missing` (one of the kinds of policy) has no Allow."""
    assert missing in _ARTICLES
    return f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} because no {missing} allows the {action} action"


def explicitly(caller: Principal, action: str, resource: str, denied_by: str) -> str:
    return f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} with an explicit deny in {denied_by}"


def by_identity(caller: Principal, action: str, resource: str, side: IdentitySide) -> str:
    """The message for an identity side that does not allow."""
    if side.denied_by:
        return explicitly(caller, action, resource, side.denied_by)
    return not_allowed(
        caller, action, resource, side.capped_by if side.policies_allow and side.capped_by else "identity-based policy"
    )
