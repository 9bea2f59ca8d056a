"""DeleteConflict: what must go first (D§4.2)."""

from ..call import Call
from ..errors import AwsError
from . import entities


def check(call: Call) -> None:
    backend = entities.backend(call.partition, call.account)
    params = call.params
    match call.operation:
        case "DeletePolicy":
            policy = backend.managed_policies[params["PolicyArn"]]
            if policy.attachment_count or _bounds_somebody(call):
                raise _conflict("Cannot delete a policy attached to entities.")
            if len(policy.versions) > 1:
                raise _conflict(
                    "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                    "versions. The default version is deleted with the policy."
                )
        case "DeleteUser":
            user = backend.users[params["UserName"]]
            if user.access_keys:
                raise _conflict("Cannot delete entity, must delete access keys first.")
            if any(user in group.users for group in backend.groups.values()):
                raise _conflict("Cannot delete entity, must remove users from group first.")
        case "DeleteGroup":
            group = backend.groups[params["GroupName"]]
            if group.users:
                raise _conflict("Cannot delete entity, must remove users from group first.")
            if group.managed_policies:
                raise _conflict("Cannot delete entity, must detach all policies first.")
            if group.policies:
                raise _conflict("Cannot delete entity, must delete policies first.")


def _bounds_somebody(call: Call) -> bool:
    backend = entities.backend(call.partition, call.account)
    holders = [*backend.roles.values(), *backend.users.values()]
    return any(entities.boundary_arn(holder) == call.params["PolicyArn"] for holder in holders)


def _conflict(message: str) -> AwsError:
    return AwsError("DeleteConflict", message, 409)
