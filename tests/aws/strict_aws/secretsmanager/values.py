"""Values in and out: PutSecretValue and GetSecretValue (D§5.6)."""

import base64
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..errors import AwsError
from . import sealing, versions
from .errors import invalid_parameter, invalid_request, no_such_value
from .job import Job
from .key_choice import require_shareable
from .model import CURRENT, Secret, Version

MAX_BYTES = 65_536


@dataclass(frozen=True)
class Value:
    data: bytes
    binary: bool

    @classmethod
    def of(cls, params: dict[str, Any]) -> "Value | None":
        text, binary = params.get("SecretString"), params.get("SecretBinary")
        if text is not None and binary is not None:
            raise invalid_parameter(
                "You can't specify both a binary secret value and a string secret value in the same secret."
            )
        if binary is not None:
            return cls(base64.b64decode(binary), True)
        if text is None:
            return None
        # The model counts characters, the service bytes.
        if len(text.encode()) > MAX_BYTES:
            raise AwsError(
                "ValidationException",
                "1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have "
                f"length less than or equal to {MAX_BYTES}",
            )
        return cls(text.encode(), False)


def put_secret_value(job: Job) -> dict:
    secret, token = job.secret, versions.token(job)
    value = Value.of(job.params)
    if value is None:
        raise invalid_request("You must provide either SecretString or SecretBinary.")
    require_shareable(job.call, secret, secret.key.default)
    labels = job.params.get("VersionStages") or []
    version = secret.versions.get(token)
    if version is None:
        job.kms.validate(secret.key.reference, secret.arn)
        version = store(job, secret, token, value, labels)
    else:
        require_same(job, secret, version, value)
    return {"ARN": secret.arn, "Name": secret.name, "VersionId": version.id, "VersionStages": list(version.labels)}


def store(job: Job, secret: Secret, token: str, value: Value, labels: list[str]) -> Version:
    version = Version(token, sealing.seal(job.kms, secret.arn, token, secret.key, value.data), value.binary)
    versions.add(secret, version, labels)
    secret.changed = version.created
    return version


def require_same(job: Job, secret: Secret, version: Version, value: Value) -> None:
    """A repeated token is the same call again if it brings the same value, and an error otherwise."""
    known = sealing.open_value(job.kms, secret, version)
    if version.binary != value.binary or not hmac.compare_digest(known, value.data):
        raise token_taken(secret, version.id)


def token_taken(secret: Secret, token: str) -> AwsError:
    return AwsError(
        "ResourceExistsException",
        f"You can't use ClientRequestToken {token} because that value is already in use for a version of secret "
        f"{secret.arn}.",
    )


def get_secret_value(job: Job) -> dict:
    secret = job.secret
    version = _wanted(job, secret)
    require_shareable(job.call, secret, version.sealed.default_key)
    data = sealing.open_value(job.kms, secret, version)
    secret.accessed = version.accessed = datetime.now(UTC)
    field, content = ("SecretBinary", base64.b64encode(data)) if version.binary else ("SecretString", data)
    return {
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version.id,
        field: content.decode(),
        "VersionStages": list(version.labels),
        "CreatedDate": version.created.timestamp(),
    }


def _wanted(job: Job, secret: Secret) -> Version:
    version_id, label = job.params.get("VersionId"), job.params.get("VersionStage")
    if version_id is None:
        label = label or CURRENT
        version = secret.labelled(label)
        if version is None:
            raise no_such_value("staging label", label)
        return version
    version = secret.versions.get(version_id)
    if version is None:
        raise no_such_value("VersionId", version_id)
    if label is not None and label not in version.labels:
        raise invalid_request("You provided a VersionStage that is not associated to the provided VersionId.")
    return version
