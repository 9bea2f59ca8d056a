"""RotateSecret and CancelRotateSecret: the configuration only.

There is no Lambda here; a test plays it with PutSecretValue, and DescribeSecret tells that the secret rotates (D§5.7).
"""

from datetime import UTC, datetime

from .errors import invalid_request
from .job import Job
from .model import Rotation

_NO_LAMBDA = (
    "You tried to enable rotation on a secret that doesn't already have a Lambda function ARN configured and you "
    "didn't include such an ARN as a parameter in this call."
)


def rotate_secret(job: Job) -> dict:
    secret, params = job.secret, job.params
    known = secret.rotation
    lambda_arn = params.get("RotationLambdaARN") or (known.lambda_arn if known else None)
    if not lambda_arn:
        raise invalid_request(_NO_LAMBDA)
    rules = params.get("RotationRules") or (known.rules if known else {})
    secret.rotation = Rotation(lambda_arn, rules, rotated=known.rotated if known else None)
    if params.get("RotateImmediately", True):
        secret.rotation.rotated = datetime.now(UTC)
    return {"ARN": secret.arn, "Name": secret.name}


def cancel_rotate_secret(job: Job) -> dict:
    if job.secret.rotation is None:
        raise invalid_request(_NO_LAMBDA)
    job.secret.rotation.enabled = False
    return {"ARN": job.secret.arn, "Name": job.secret.name}
