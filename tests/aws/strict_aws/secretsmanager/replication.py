"""Replicas in other Regions of the partition, each under a key of its own Region (D§5.7)."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ..errors import AwsError
from ..partitions import partition_of_region
from ..world import World
from . import sealing
from .errors import invalid_parameter, invalid_request
from .job import Job
from .key_choice import choose, require_shareable
from .model import DEFAULT_KEY_ALIAS, KeyChoice, Place, Replica, Secret, Version


def replicate_secret_to_regions(job: Job) -> dict:
    secret, regions = job.secret, job.params["AddReplicaRegions"]
    require_possible(job, secret, regions)
    add(job, secret, regions, bool(job.params.get("ForceOverwriteReplicaSecret")))
    return {"ARN": secret.arn, "ReplicationStatus": status(job.world, secret)}


def remove_regions_from_replication(job: Job) -> dict:
    secret, regions = job.secret, job.params["RemoveReplicaRegions"]
    if any(region not in secret.replicas for region in regions):
        raise invalid_parameter("Invalid replica region.")
    for region in regions:
        del secret.replicas[region]
        if replica := _replica_in(job.world, secret, region):
            job.world.secrets.remove(replica.place)
    return {"ARN": secret.arn, "ReplicationStatus": status(job.world, secret)}


def stop_replication_to_replica(job: Job) -> dict:
    """Called in the replica's Region: from now on it is a secret of its own."""
    replica = job.secret
    primary = job.world.secrets.primary_of(replica)
    if primary is None:
        raise invalid_request("You can only stop replication to a replica secret.")
    primary.replicas.pop(replica.place.region, None)
    replica.primary_region = None
    return {"ARN": replica.arn}


def require_possible(job: Job, secret: Secret, regions: list[dict[str, Any]]) -> None:
    """What is refused at once. All else shows in the status of the replica."""
    names = [entry.get("Region") or secret.place.region for entry in regions]
    for region in names:
        in_sync = region in secret.replicas and secret.replicas[region].failure is None
        other_partition = partition_of_region(region) != job.call.partition
        if region == secret.place.region or other_partition or in_sync or names.count(region) > 1:
            raise invalid_parameter("Invalid replica region.")
    for entry in regions:
        require_shareable(job.call, secret, _key_for(job, secret, entry).default)


def add(job: Job, secret: Secret, regions: list[dict[str, Any]], overwrite: bool) -> None:
    for entry in regions:
        region = entry["Region"]
        key = _key_for(job, secret, entry)
        secret.replicas[region] = Replica(region, key, datetime.now(UTC))
        place = replace(secret.place, region=region)
        taken = job.world.secrets.get(place)
        if taken is not None and not overwrite:
            secret.replicas[
                region
            ].failure = f"Replication failed: Secret name {secret.name} already exists in region {region}."
            continue
        arn = secret.arn.replace(f":{secret.place.region}:", f":{region}:", 1)
        replica = Secret(place, arn, key, primary_region=secret.place.region)
        if _bring_up_to_date(job, secret, secret.replicas[region], replica):
            job.world.secrets.add(replica)


def _key_for(job: Job, secret: Secret, entry: dict[str, Any]) -> KeyChoice:
    return choose(job.call, entry.get("KmsKeyId"), secret.place.account, entry["Region"])


def follow(job: Job, secret: Secret) -> None:
    """After a write to the primary: metadata, labels, policy and new values go to every replica."""
    for link in secret.replicas.values():
        if replica := _replica_in(job.world, secret, link.region):
            _bring_up_to_date(job, secret, link, replica)


def _bring_up_to_date(job: Job, secret: Secret, link: Replica, replica: Secret) -> bool:
    """Whether it succeeded. Its KMS rights are the caller's, on both keys; without them the status says Failed."""
    try:
        replica.versions = {version.id: _copy(job, secret, replica, version) for version in secret.versions.values()}
    except AwsError as refusal:
        link.failure = f"Replication failed: {refusal.message}"
        return False
    link.failure = None
    replica.description, replica.tags, replica.policy = secret.description, dict(secret.tags), secret.policy
    replica.changed, replica.rotation = secret.changed, copy.deepcopy(secret.rotation)
    return True


def _copy(job: Job, secret: Secret, replica: Secret, version: Version) -> Version:
    known = replica.versions.get(version.id)
    if known is not None:
        return replace(known, labels=list(version.labels))
    kms = job.kms_in(replica.place.region)
    value = sealing.open_value(job.kms_in(secret.place.region), secret, version)
    sealed = sealing.seal(kms, replica.arn, version.id, replica.key, value)
    # D§5.7 asks for Encrypt besides GenerateDataKey on the replica's key.
    sealed = sealing.under_another_key(kms, replica, replace(version, sealed=sealed), replica.key)
    return replace(version, sealed=sealed, labels=list(version.labels), accessed=None)


def status(world: World, secret: Secret) -> list[dict[str, Any]]:
    return [_status(world, link) for link in secret.replicas.values()]


def _status(world: World, link: Replica) -> dict[str, Any]:
    entry = {"Region": link.region, "KmsKeyId": link.key.given or DEFAULT_KEY_ALIAS}
    if link.failure is not None:
        return entry | {"Status": "Failed", "StatusMessage": link.failure}
    if _in_progress(world, link):
        return entry | {"Status": "InProgress"}
    return entry | {"Status": "InSync", "StatusMessage": "Replication succeeded"}


def is_visible(world: World, secret: Secret) -> bool:
    """A new replica is not there before its replication has ended."""
    primary = world.secrets.primary_of(secret)
    link = primary.replicas.get(secret.place.region) if primary else None
    return link is None or not _in_progress(world, link)


def _in_progress(world: World, link: Replica) -> bool:
    return datetime.now(UTC) < link.started + timedelta(milliseconds=world.options.replication_lag_ms)


def _replica_in(world: World, secret: Secret, region: str) -> Secret | None:
    found = world.secrets.get(Place(secret.place.account, region, secret.name))
    return found if found and found.primary_region == secret.place.region else None
