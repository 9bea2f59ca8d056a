"""Who may do what with a secret (D§5.1).

In one account identity policies or the secret's policy allow; across accounts both must; a deny on either side wins.
"""

from ..call import Call
from ..errors import AwsError
from ..identity.principal import Principal
from ..policy import denied as words
from ..policy import identity_side, resource_side
from ..policy.context import Context
from ..policy.identity_side import IdentitySide
from ..policy.principals import Named
from ..world import World
from .model import KeyChoice, Place, Secret
from .request_context import context_of
from .store import new_arn, parse_arn

_RESOURCE_POLICY = "resource-based policy"


def authorize(world: World, call: Call, secret: Secret, action: str, key: KeyChoice | None = None) -> None:
    decide(call.caller, secret, action, context_of(world, call, secret, key))


def decide(caller: Principal, secret: Secret, action: str, context: Context) -> None:
    action, arn = f"secretsmanager:{action}", secret.arn
    own = identity_side.evaluate(caller, action, arn, context)
    if own.denied_by:
        raise denied(words.explicitly(caller, action, arn, own.denied_by))
    statements = secret.policy.statements if secret.policy else ()
    denies, named = resource_side.evaluate(statements, caller, action, arn, context)
    if denies:
        raise denied(words.explicitly(caller, action, arn, "a resource-based policy"))
    if caller.account == secret.place.account:
        _in_own_account(caller, arn, action, own, named)
    else:
        _from_another_account(caller, arn, action, own, named)


def _in_own_account(caller: Principal, arn: str, action: str, own: IdentitySide, named: Named) -> None:
    # A role that is named is still capped by its boundary and session policy (D§1.3).
    by_resource = named is Named.DIRECT or (named is Named.ROLE and own.capped_by is None)
    if not (own.allows or by_resource):
        raise denied(words.by_identity(caller, action, arn, own))


def _from_another_account(caller: Principal, arn: str, action: str, own: IdentitySide, named: Named) -> None:
    # With only the account named, AWS blames the resource policy for a missing identity policy (D§9 row 4).
    blamed = named is Named.ACCOUNT and not own.policies_allow
    if named is Named.NOT or blamed:
        raise denied(words.not_allowed(caller, action, arn, _RESOURCE_POLICY))
    if not own.allows:
        raise denied(words.by_identity(caller, action, arn, own))


def authorize_absent(world: World, call: Call, action: str, reference: str) -> None:
    """For a secret that is not there: only who may ask for one of that name learns it.

    The refusal repeats what the request said. A name is held against ARN patterns with some suffix in its place.
    """
    caller, action = call.caller, f"secretsmanager:{action}"
    context = context_of(world, call, None)
    parts = parse_arn(reference)
    if parts is not None and parts.account != caller.account:
        raise denied(words.not_allowed(caller, action, reference, _RESOURCE_POLICY))
    arn = reference if parts else new_arn(call.partition, Place(caller.account, call.region, reference))
    side = identity_side.evaluate(caller, action, arn, context)
    if not side.allows:
        raise denied(words.by_identity(caller, action, reference, side))


def authorize_by_identity(world: World, call: Call, action: str, resource: str, key: KeyChoice | None = None) -> None:
    """For operations on no secret, or on one that is only being made."""
    context = context_of(world, call, None, key)
    action = f"secretsmanager:{action}"
    side = identity_side.evaluate(call.caller, action, resource, context)
    if not side.allows:
        raise denied(words.by_identity(call.caller, action, resource, side))


def denied(message: str) -> AwsError:
    return AwsError("AccessDeniedException", message)
