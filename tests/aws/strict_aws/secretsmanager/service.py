"""Secrets Manager: find the secret wherever it lives, authorize, check its state, do the work, tell the replicas."""

import json
from uuid import uuid4

from ..call import Call
from ..errors import AwsError
from ..httpd import Reply
from ..world import World
from . import deletion, replication, shapes, update
from .authorize import authorize, authorize_absent
from .errors import not_found
from .job import Job
from .model import Secret
from .operations import OPERATIONS, Operation
from .store import parse_arn


def named_resource(call: Call) -> str:
    """What the request says it is about; never anything of a value."""
    for parameter in ("SecretId", "Name"):
        if isinstance(value := call.params.get(parameter), str):
            return value
    return "*"


def serve(world: World, call: Call) -> Reply:
    operation = OPERATIONS.get(call.operation)
    if operation is None:
        raise AwsError("UnknownOperationException", f"The strict AWS does not serve secretsmanager:{call.operation}")
    call.account = call.caller.account
    shapes.check(call.operation, call.params)
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": str(uuid4())}
    return Reply(200, headers, json.dumps(_perform(Job(world, call), operation)).encode())


def _perform(job: Job, operation: Operation) -> dict:
    if not operation.on_secret or "SecretId" not in job.params:
        return operation.perform(job)
    secret = _find(job.world, job.call)
    if secret is None:
        return _without_secret(job)
    job.found, job.call.resource = secret, secret.arn
    key = update.chosen_key(job, secret) if job.call.operation == "UpdateSecret" else None
    authorize(job.world, job.call, secret, job.call.operation, key)
    operation.require_state(secret)
    if not operation.writes:
        return operation.perform(job)
    job.world.lag.before_secret_write(secret.place, secret)
    answer = operation.perform(job)
    replication.follow(job, secret)
    return answer


def _find(world: World, call: Call) -> Secret | None:
    """A name means the caller's own account; another account's secret is found by its whole ARN only (D§5.1)."""
    reference = call.params["SecretId"]
    parts = parse_arn(reference)
    account = parts.account if parts and parts.partition == call.partition else call.caller.account
    secret = world.secrets.named(account, call.region, reference)
    if secret is None or not replication.is_visible(world, secret):
        return None
    return secret if account == call.caller.account or secret.arn == reference else None


def _without_secret(job: Job) -> dict:
    authorize_absent(job.world, job.call, job.call.operation, job.params["SecretId"])
    if job.call.operation == "DeleteSecret" and deletion.is_forced(job):
        return deletion.delete_nothing(job)
    raise not_found()
