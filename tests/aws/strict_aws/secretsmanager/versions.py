"""Versions and their staging labels (D§5.6): which version a label stands on, and what moves with AWSCURRENT."""

from ..errors import AwsError
from .errors import invalid_parameter, invalid_request
from .job import Job
from .model import CURRENT, PREVIOUS, Secret, Version

MAX_VERSIONS = 100
MAX_LABELS = 20


def token(job: Job) -> str:
    """The VersionId to be. SDKs make one up where their user does not give it; the service does not."""
    given = job.params.get("ClientRequestToken")
    if given is None:
        raise invalid_request("You must provide a ClientRequestToken value. We recommend a UUID-type value.")
    return given


def add(secret: Secret, version: Version, labels: list[str]) -> None:
    # Nothing younger than 24 h makes room for a new version, and no test lasts that long.
    if len(secret.versions) >= MAX_VERSIONS:
        raise AwsError("LimitExceededException", "You exceeded the maximum number of versions for a secret.")
    wanted = labels or [CURRENT]
    if not secret.versions and CURRENT not in wanted:
        wanted = [*wanted, CURRENT]
    _require_few_labels(secret, wanted)
    secret.versions[version.id] = version
    for label in wanted:
        attach(secret, label, version)


def attach(secret: Secret, label: str, version: Version) -> None:
    """A label stands on one version; where AWSCURRENT leaves, AWSPREVIOUS comes."""
    before = secret.labelled(label)
    if before is version:
        return
    detach(secret, label)
    version.labels.append(label)
    if label == CURRENT and before is not None:
        detach(secret, PREVIOUS)
        before.labels.append(PREVIOUS)


def detach(secret: Secret, label: str) -> None:
    for version in secret.versions.values():
        if label in version.labels:
            version.labels.remove(label)


def update_secret_version_stage(job: Job) -> dict:
    secret, label = job.secret, job.params["VersionStage"]
    source, target = _version(job, "RemoveFromVersionId"), _version(job, "MoveToVersionId")
    holder = secret.labelled(label)
    if source is not None and label not in source.labels:
        raise invalid_parameter(f"The staging label {label} is not currently attached to version {source.id}.")
    if holder is not None and source is None and holder is not target:
        raise invalid_parameter(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version "
            f"{holder.id}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    if target is not None:
        _require_few_labels(secret, [label])
        attach(secret, label, target)
    elif label == CURRENT:
        raise invalid_parameter("You can only move staging label AWSCURRENT to a different secret version.")
    else:
        detach(secret, label)
    return {"ARN": secret.arn, "Name": secret.name}


def _version(job: Job, parameter: str) -> Version | None:
    version_id = job.params.get(parameter)
    if version_id is None:
        return None
    if version_id not in job.secret.versions:
        raise invalid_parameter(f"Secrets Manager can't find version {version_id} of the secret.")
    return job.secret.versions[version_id]


def _require_few_labels(secret: Secret, new: list[str]) -> None:
    labels = {label for version in secret.versions.values() for label in version.labels} | set(new)
    if len(labels) > MAX_LABELS:
        raise AwsError("LimitExceededException", "You exceeded the maximum number of staging labels for a secret.")
