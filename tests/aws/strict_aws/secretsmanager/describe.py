"""DescribeSecret, and the same facts as a line of ListSecrets (D§5.5)."""

from datetime import datetime
from typing import Any

from . import replication
from .job import Job
from .model import Secret


def describe_secret(job: Job) -> dict:
    secret = job.seen
    facts = _facts(secret)
    if labels := _labels(secret):
        facts["VersionIdsToStages"] = labels
    if secret.replicas:
        facts["ReplicationStatus"] = replication.status(job.world, secret)
    return facts


def line(secret: Secret) -> dict[str, Any]:
    facts = _facts(secret)
    if labels := _labels(secret):
        facts["SecretVersionsToStages"] = labels
    return facts


def _facts(secret: Secret) -> dict[str, Any]:
    """What has no value is left out, as on the wire of AWS."""
    facts: dict[str, Any] = {
        "ARN": secret.arn,
        "Name": secret.name,
        "Description": secret.description or None,
        "KmsKeyId": secret.key.given,
        "CreatedDate": _seconds(secret.created),
        "LastChangedDate": _seconds(secret.changed),
        "LastAccessedDate": _day(secret.accessed),
        "DeletedDate": _seconds(secret.deletion),
        "OwningService": secret.owning_service,
        "Tags": [{"Key": key, "Value": value} for key, value in secret.tags.items()] or None,
        "PrimaryRegion": secret.primary_region or (secret.place.region if secret.replicas else None),
    }
    if rotation := secret.rotation:
        facts |= {
            "RotationEnabled": rotation.enabled,
            "RotationLambdaARN": rotation.lambda_arn,
            "RotationRules": rotation.rules,
            "LastRotatedDate": _seconds(rotation.rotated),
        }
    return {name: value for name, value in facts.items() if value is not None}


def _labels(secret: Secret) -> dict[str, list[str]]:
    return {version.id: list(version.labels) for version in secret.versions.values() if version.labels}


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def _day(moment: datetime | None) -> float | None:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() if moment else None
