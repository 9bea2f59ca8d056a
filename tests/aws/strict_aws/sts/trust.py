"""Whether a role's trust policy, and the caller's own account, let the caller in."""

import json
from dataclasses import replace

from moto.iam.models import Role

from ..call import Call
from ..errors import AwsError
from ..policy import identity_side
from ..policy.context import Context
from ..policy.document import Statement, compile_document
from ..policy.principals import Named, names
from ..policy.request_context import global_context
from ..policy.stored import StoredPolicy
from ..world import World

_ACTION = "sts:AssumeRole"


def statements(role: Role) -> list[Statement]:
    policy = role.assume_role_policy_document
    # moto writes the trust of service-linked roles itself, as text.
    compiled = policy.statements if isinstance(policy, StoredPolicy) else compile_document(json.loads(policy))
    # Trust policies have no Resource: it is the role.
    return [replace(statement, resources=("*",)) for statement in compiled]


def require_assume_role(world: World, call: Call, role: Role, external_id: str | None, session_name: str) -> None:
    caller = call.caller
    if caller.kind == "root":
        raise AwsError("AccessDenied", "Roles may not be assumed by root accounts.", 403)
    context = global_context(world, call).extended(
        {"sts:ExternalId": external_id, "sts:RoleSessionName": session_name, "aws:ResourceAccount": role.account_id}
    )
    side = identity_side.evaluate(caller, _ACTION, role.arn, context)
    named = _named(role, call, context)
    if side.denied_by or named is Named.NOT:
        raise refused(call, role.arn)
    # In the role's own account naming the caller is enough; an account as principal delegates to its IAM, and from
    # another account both sides must allow.
    trusted_by_name = named >= Named.ROLE and caller.account == role.account_id
    if not (side.capped_by is None if trusted_by_name else side.allows):
        raise refused(call, role.arn)


def _named(role: Role, call: Call, context: Context) -> Named:
    best = Named.NOT
    for statement in statements(role):
        by = names(statement, call.caller)
        if by and statement.covers(_ACTION, role.arn, context):
            if not statement.allows:
                return Named.NOT
            best = max(best, by)
    return best


def refused(call: Call, role_arn: str) -> AwsError:
    """The same for a role that does not exist and one that does not trust the caller."""
    return AwsError(
        "AccessDenied", f"User: {call.caller.arn} is not authorized to perform: {_ACTION} on resource: {role_arn}", 403
    )
