"""Key policy ∩ identity policies, in the owner's account and across accounts (D§1.3)."""

from moto.kms.models import Key

from ..call import Call
from ..identity.principal import Principal
from ..policy import denied as words
from ..policy import identity_side, resource_side
from ..policy.context import Context
from ..policy.identity_side import IdentitySide
from ..policy.principals import Named
from ..policy.stored import StoredPolicy
from ..world import World
from .denied import denied, hidden
from .keys import policy_of


def authorize(world: World, call: Call, key: Key, action: str, context: Context) -> None:
    """Returns if the caller may do `action` with the key, raises AccessDeniedException otherwise."""
    decide(call.caller, key, policy_of(world, key), action, context)


def decide(caller: Principal, key: Key, policy: StoredPolicy, action: str, context: Context) -> None:
    # `kms:ResourceAliases` counts in IAM policies only (D§2.4).
    own = identity_side.evaluate(caller, action, key.arn, context.extended({"kms:ResourceAliases": list(key.aliases)}))
    if own.denied_by:
        raise denied(words.explicitly(caller, action, key.arn, own.denied_by))
    denies, named = resource_side.evaluate(policy.statements, caller, action, key.arn, context)
    if caller.account == key.account_id:
        _in_own_account(caller, key, action, own, denies, named)
    else:
        _from_another_account(caller, key, action, own, denies, named)


def _in_own_account(caller: Principal, key: Key, action: str, own: IdentitySide, denies: bool, named: Named) -> None:
    if denies:
        raise denied(words.explicitly(caller, action, key.arn, "a resource-based policy"))
    match named:
        case Named.DIRECT:
            return
        case Named.ROLE:
            if own.capped_by:
                raise denied(words.not_allowed(caller, action, key.arn, own.capped_by))
        case Named.ACCOUNT:
            if not own.allows:
                raise denied(words.by_identity(caller, action, key.arn, own))
        case Named.NOT:
            # IAM alone is powerless unless the key policy delegates to the account.
            raise denied(words.not_allowed(caller, action, key.arn, "resource-based policy"))


def _from_another_account(
    caller: Principal, key: Key, action: str, own: IdentitySide, denies: bool, named: Named
) -> None:
    if denies or named is Named.NOT:
        raise hidden(caller, action)
    if not own.allows:
        if named is Named.ACCOUNT and not own.policies_allow:
            # AWS blames the resource policy here, though only the IAM policy is missing (D§9 row 4).
            raise denied(words.not_allowed(caller, action, key.arn, "resource-based policy"))
        raise denied(words.by_identity(caller, action, key.arn, own))
