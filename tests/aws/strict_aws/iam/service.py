"""IAM: authorize by identity policies, refuse what AWS refuses, let moto do the rest."""

from moto.core.utils import camelcase_to_underscores

from .. import moto_base
from ..call import Call
from ..errors import AwsError
from ..httpd import Reply
from ..policy import denied as words
from ..policy import identity_side
from ..policy.request_context import global_context
from ..world import World
from . import conflicts, documents, existence, names, protected, quotas, resources
from .moto_iam import StrictIam


def named_resource(call: Call) -> str:
    return call.params.get("RoleName") or call.params.get("UserName") or call.params.get("PolicyArn") or "*"


def serve(world: World, call: Call) -> Reply:
    if not hasattr(StrictIam, camelcase_to_underscores(call.operation)):
        raise AwsError("InvalidAction", f"The strict AWS does not serve iam:{call.operation}")
    call.extra["world"] = world
    call.account = call.caller.account
    names.check_form(call)
    _authorize(world, call)
    if is_read(call.operation):
        with world.lag.iam_to_read(call.caller.partition, call.account):
            existence.check(call)
            return moto_base.dispatch(StrictIam, call)
    # In AWS's order: what is not there, what is not yours, what is malformed, what is too much, what is in use.
    existence.check(call)
    protected.check(call)
    names.check_unique(call)
    documents.check(call)
    quotas.check(call)
    conflicts.check(call)
    with world.lag.iam_write(call.caller.partition, call.account):
        return moto_base.dispatch(StrictIam, call)


def is_read(operation: str) -> bool:
    return operation.startswith(("Get", "List"))


def _authorize(world: World, call: Call) -> None:
    caller, action = call.caller, f"iam:{call.operation}"
    call.resource = resources.resource_arn(call, caller)
    context = global_context(world, call).extended(resources.condition_keys(call, caller))
    side = identity_side.evaluate(caller, action, call.resource, context)
    if not side.allows:
        raise AwsError("AccessDenied", words.by_identity(caller, action, call.resource, side), 403)
