"""AWS's words for a refusal (D§9: the patterns that people and tools parse)."""

from ..identity.principal import Principal
from .identity_side import IdentitySide


def not_allowed(caller: Principal, action: str, resource: str, missing: str) -> str:
    """Nobody denied it, but `missing` (a kind of policy) has no Allow."""
    return f"{_refused(caller, action, resource)} because no {missing} allows the {action} action"


def explicitly(caller: Principal, action: str, resource: str, denied_by: str) -> str:
    return f"{_refused(caller, action, resource)} with an explicit deny in {denied_by}"


def by_identity(caller: Principal, action: str, resource: str, side: IdentitySide) -> str:
    """The message for an identity side that does not allow."""
    if side.denied_by:
        return explicitly(caller, action, resource, side.denied_by)
    missing = side.capped_by if side.policies_allow else None
    return not_allowed(caller, action, resource, missing or "identity-based policy")


def _refused(caller: Principal, action: str, resource: str) -> str:
    return f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
