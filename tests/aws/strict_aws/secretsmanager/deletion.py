"""DeleteSecret and RestoreSecret (D§5.7)."""

from datetime import UTC, datetime, timedelta

from .errors import invalid_parameter, invalid_request
from .job import Job
from .model import Place
from .store import new_arn

_DEFAULT_WINDOW, _MIN_WINDOW, _MAX_WINDOW = 30, 7, 30


def delete_secret(job: Job) -> dict:
    secret, days = job.secret, job.params.get("RecoveryWindowInDays")
    force = _require_consistent(job)
    if secret.replicas:
        regions = ", ".join(secret.replicas)
        raise invalid_parameter(
            f"You can't delete secret {job.params['SecretId']} that still has replica regions [{regions}]."
        )
    if force:
        job.world.secrets.remove(secret.place)
        return _answer(secret.arn, secret.name, datetime.now(UTC))
    if secret.deletion is not None:
        raise invalid_request(
            "You can't perform this operation on the secret because it was already scheduled for deletion."
        )
    secret.deletion = datetime.now(UTC) + timedelta(days=_DEFAULT_WINDOW if days is None else days)
    return _answer(secret.arn, secret.name, secret.deletion)


def is_forced(job: Job) -> bool:
    return bool(job.params.get("ForceDeleteWithoutRecovery"))


def delete_nothing(job: Job) -> dict:
    """Without recovery a missing secret is no error; its ARN is made up."""
    _require_consistent(job)
    place = Place(job.caller.account, job.call.region, job.params["SecretId"])
    return _answer(new_arn(job.call.partition, place), place.name, datetime.now(UTC))


def restore_secret(job: Job) -> dict:
    job.secret.deletion = None
    return {"ARN": job.secret.arn, "Name": job.secret.name}


def _require_consistent(job: Job) -> bool:
    days, force = job.params.get("RecoveryWindowInDays"), is_forced(job)
    if force and days is not None:
        raise invalid_parameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
    if days is not None and not _MIN_WINDOW <= days <= _MAX_WINDOW:
        raise invalid_parameter(
            f"The RecoveryWindowInDays value must be between {_MIN_WINDOW} and {_MAX_WINDOW} days (inclusive)."
        )
    return force


def _answer(arn: str, name: str, moment: datetime) -> dict:
    return {"ARN": arn, "Name": name, "DeletionDate": moment.timestamp()}
