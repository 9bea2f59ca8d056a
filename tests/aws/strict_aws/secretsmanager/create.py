"""CreateSecret (D§5.2, D§5.6, D§5.7)."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ..errors import AwsError
from . import replication, tags, versions
from .authorize import authorize_by_identity
from .errors import invalid_request
from .job import Job
from .key_choice import choose
from .model import Place, Secret
from .store import new_arn
from .values import Value, require_same, store

_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]+")


def create_secret(job: Job) -> dict:
    call, params, owner = job.call, job.params, job.caller.account
    _require_valid_name(params["Name"])
    place = Place(owner, call.region, params["Name"])
    key = choose(call, params.get("KmsKeyId"), owner, call.region)
    existing = job.world.secrets.get(place)
    arn = existing.arn if existing else new_arn(call.partition, place)
    call.resource = arn
    authorize_by_identity(job.world, call, "CreateSecret", arn, key)
    if params.get("Tags"):
        authorize_by_identity(job.world, call, "TagResource", arn, key)
    if params.get("AddReplicaRegions"):
        authorize_by_identity(job.world, call, "ReplicateSecretToRegions", arn, key)
    value = Value.of(params)
    token = versions.token(job) if value else str(uuid4())
    if existing is not None:
        return _again(job, existing, token, value)
    _require_free(job, place)
    secret = Secret(place, arn, key, description=params.get("Description", ""))
    secret.tags = tags.requested(params)
    secret.changed = secret.created
    replication.require_possible(job, secret, params.get("AddReplicaRegions") or [])
    job.kms.validate(key.reference, arn)
    if value is not None:
        store(job, secret, token, value, [])
    job.world.lag.before_secret_write(place, None)
    job.world.secrets.add(secret)
    return _answer(secret, token if value else None) | _replicated(job, secret)


def _again(job: Job, existing: Secret, token: str, value: Value | None) -> dict:
    if existing.deletion is not None:
        raise invalid_request(
            "You can't create this secret because a secret with this name is already scheduled for deletion."
        )
    version = existing.versions.get(token)
    if value is None or version is None:
        raise AwsError(
            "ResourceExistsException", f"The operation failed because the secret {existing.name} already exists."
        )
    # The answer to the first call was lost, and this is the second (D§5.6).
    require_same(job, existing, version, value)
    return _answer(existing, token)


def _answer(secret: Secret, version_id: str | None) -> dict:
    answer = {"ARN": secret.arn, "Name": secret.name}
    return answer | {"VersionId": version_id} if version_id else answer


def _replicated(job: Job, secret: Secret) -> dict:
    regions = job.params.get("AddReplicaRegions") or []
    if not regions:
        return {}
    replication.add(job, secret, regions, bool(job.params.get("ForceOverwriteReplicaSecret")))
    return {"ReplicationStatus": replication.status(job.world, secret)}


def _require_valid_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise AwsError(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        )


def _require_free(job: Job, place: Place) -> None:
    """Deletion without recovery ends some time after it was asked for (D§5.7)."""
    gone = job.world.secrets.gone_since(place)
    lag = timedelta(milliseconds=job.world.options.secret_name_lag_ms)
    if gone is not None and datetime.now(UTC) < gone + lag:
        raise invalid_request("You can't perform this operation on the secret because it was deleted.")
