"""What each operation of Secrets Manager needs: a secret, from which accounts, in which states (D§5.1, D§5.7)."""

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import AwsError
from . import (
    create,
    deletion,
    describe,
    listing,
    replication,
    resource_policy,
    rotation,
    tags,
    update,
    values,
    versions,
)
from .errors import invalid_parameter, invalid_request
from .job import Job
from .model import Secret

Perform = Callable[[Job], dict]


@dataclass(frozen=True)
class Operation:
    perform: Perform
    # Whether it changes the secret, so that replicas follow and lagging reads remember.
    writes: bool = True
    # Whether the request names a secret. ListSecrets and CreateSecret do not, and so cannot leave their account.
    on_secret: bool = True
    # On a secret that is scheduled for deletion: what has no InvalidRequestException in the model [B] works there.
    on_deleted: bool = False
    # On a replica: all else is for the primary's Region.
    on_replica: bool = False
    # On a secret that a service owns: its value and its life are that service's; tags and access are not [inferred].
    on_owned: bool = False

    def require_state(self, secret: Secret) -> None:
        if refusal := self._refusal(secret):
            raise refusal

    def _refusal(self, secret: Secret) -> AwsError | None:
        if secret.primary_region and not self.on_replica:
            return invalid_parameter(
                "Operation not permitted on a replica secret. Call must be made in primary secret's region."
            )
        if secret.deletion and not self.on_deleted:
            return invalid_request("You can't perform this operation on the secret because it was marked for deletion.")
        if secret.owning_service and not self.on_owned:
            return invalid_request(
                "The secret is managed by another service, and you must use that service to update it."
            )
        return None


def _read(perform: Perform, on_deleted: bool = False) -> Operation:
    return Operation(perform, writes=False, on_deleted=on_deleted, on_replica=True, on_owned=True)


OPERATIONS: dict[str, Operation] = {
    "CreateSecret": Operation(create.create_secret, writes=False, on_secret=False),
    "ListSecrets": Operation(listing.list_secrets, writes=False, on_secret=False),
    "DescribeSecret": _read(describe.describe_secret, on_deleted=True),
    "ListSecretVersionIds": _read(listing.list_secret_version_ids, on_deleted=True),
    "GetSecretValue": _read(values.get_secret_value),
    "GetResourcePolicy": _read(resource_policy.get_resource_policy),
    "ValidateResourcePolicy": _read(resource_policy.validate_resource_policy),
    "PutResourcePolicy": Operation(resource_policy.put_resource_policy, on_owned=True),
    "DeleteResourcePolicy": Operation(resource_policy.delete_resource_policy, on_owned=True),
    "TagResource": Operation(tags.tag_resource, on_owned=True),
    "UntagResource": Operation(tags.untag_resource, on_owned=True),
    "RotateSecret": Operation(rotation.rotate_secret, on_owned=True),
    "CancelRotateSecret": Operation(rotation.cancel_rotate_secret, on_owned=True),
    "PutSecretValue": Operation(values.put_secret_value),
    "UpdateSecret": Operation(update.update_secret),
    "UpdateSecretVersionStage": Operation(versions.update_secret_version_stage),
    "DeleteSecret": Operation(deletion.delete_secret, on_deleted=True),
    "RestoreSecret": Operation(deletion.restore_secret, on_deleted=True),
    "ReplicateSecretToRegions": Operation(replication.replicate_secret_to_regions),
    "RemoveRegionsFromReplication": Operation(replication.remove_regions_from_replication),
    "StopReplicationToReplica": Operation(replication.stop_replication_to_replica, on_replica=True),
}
