"""UpdateSecret: description, value, and the key (D§5.4)."""

from datetime import UTC, datetime

from ..errors import AwsError
from . import sealing, versions
from .job import Job
from .key_choice import choose, require_shareable
from .model import CURRENT, PENDING, PREVIOUS, KeyChoice, Sealed, Secret, Version
from .values import Value, store, token_taken


def update_secret(job: Job) -> dict:
    secret, params = job.secret, job.params
    value = Value.of(params)
    token = versions.token(job) if value else ""
    if token in secret.versions:
        # Unlike PutSecretValue, also for the same value.
        raise token_taken(secret, token)
    key = chosen_key(job, secret)
    if key or value:
        wanted = key or secret.key
        require_shareable(job.call, secret, wanted.default)
        job.kms.validate(wanted.reference, secret.arn)
    if key:
        _change_key(job, secret, key)
    if value:
        store(job, secret, token, value, [])
    if params.get("Description") is not None:
        secret.description = params["Description"]
    secret.changed = datetime.now(UTC)
    answer = {"ARN": secret.arn, "Name": secret.name}
    return answer | {"VersionId": token} if value else answer


def chosen_key(job: Job, secret: Secret) -> KeyChoice | None:
    given = job.params.get("KmsKeyId")
    return None if given is None else choose(job.call, given, secret.place.account, secret.place.region)


def _change_key(job: Job, secret: Secret, key: KeyChoice) -> None:
    """Labelled versions move to the new key if the caller may encrypt with it; if not, they silently stay behind.

    All others stay on their key in any case. That a version stays behind, too, where its old key cannot be used to
    decrypt it is an inference.
    """
    for version in secret.versions.values():
        if {CURRENT, PENDING, PREVIOUS}.intersection(version.labels):
            version.sealed = _moved(job, secret, version, key)
    secret.key = key


def _moved(job: Job, secret: Secret, version: Version, key: KeyChoice) -> Sealed:
    try:
        return sealing.under_another_key(job.kms, secret, version, key)
    except AwsError:
        return version.sealed
