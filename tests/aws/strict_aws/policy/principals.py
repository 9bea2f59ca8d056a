"""Whether a Principal element names the caller, and how: that decides what else must allow (D§1.2, D§1.3)."""

from enum import IntEnum

from ..identity.principal import Principal
from .document import Statement


class Named(IntEnum):
    """How precisely a statement names a caller; the higher, the less its own account has a say."""

    NOT = 0
    # The account (`:root`): delegates to the account's IAM policies.
    ACCOUNT = 1
    # The role: its boundary and session policy still cap it.
    ROLE = 2
    # The user, exactly this session, or everyone: nothing caps it in the owner's account.
    DIRECT = 3


def names(statement: Statement, caller: Principal) -> Named:
    if statement.not_principals is not None:
        excluded = _best(statement.not_principals.get("AWS", ()), caller)
        return Named.NOT if excluded else Named.DIRECT
    if statement.principals is None:
        return Named.NOT
    return _best(statement.principals.get("AWS", ()), caller)


def _best(entries: tuple[str, ...], caller: Principal) -> Named:
    return max((_named_by(entry, caller) for entry in entries), default=Named.NOT)


def _named_by(entry: str, caller: Principal) -> Named:
    if entry == "*" or entry == caller.arn:
        return Named.DIRECT
    if entry in (caller.root_arn, caller.account):
        return Named.ACCOUNT
    if entry == caller.unique_id:
        return Named.ROLE if caller.kind == "role" else Named.DIRECT
    return Named.NOT
