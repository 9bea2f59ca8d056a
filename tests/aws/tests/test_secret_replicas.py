"""Replicas in other Regions (D§5.7)."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from world import Account, Aws, Caller, allow, key_statement, policy, refused, secret_statement

HERE, THERE, ELSEWHERE = "us-east-1", "eu-west-1", "ap-south-1"
ON_REPLICA = "Operation not permitted on a replica secret. Call must be made in primary secret's region."


def key_in(owner: Account, region: str) -> str:
    return owner.within(region).kms.create_key()["KeyMetadata"]["Arn"]


def replicas(caller: Caller, secret: str = "s") -> dict[str, dict]:
    described = caller.secrets.describe_secret(SecretId=secret)
    return {entry["Region"]: entry for entry in described.get("ReplicationStatus", [])}


def replicated(aws: Aws) -> tuple[Account, Caller, str]:
    """An owner, the same owner in the replica's Region, and the key there."""
    owner = aws.account()
    key = key_in(owner, THERE)
    owner.secret("s", KmsKeyId=owner.key(), AddReplicaRegions=[{"Region": THERE, "KmsKeyId": key}])
    return owner, owner.within(THERE), key


def test_a_replica_has_the_value_under_the_key_of_its_region(aws: Aws) -> None:
    owner, there, key = replicated(aws)
    assert there.value("s") == "s3cret"
    primary, replica = (c.secrets.describe_secret(SecretId="s") for c in (owner, there))
    assert replica["ARN"] == primary["ARN"].replace(HERE, THERE)
    assert replica["KmsKeyId"] == key
    assert replica["PrimaryRegion"] == primary["PrimaryRegion"] == HERE
    assert replicas(owner)[THERE]["Status"] == "InSync"
    assert replicas(owner)[THERE]["KmsKeyId"] == key
    assert there.secrets.list_secret_version_ids(SecretId="s")["Versions"][0]["KmsKeyIds"] == [key]


def test_what_is_written_to_the_primary_follows(aws: Aws) -> None:
    owner, there, _ = replicated(aws)
    owner.secrets.put_secret_value(SecretId="s", SecretString="new")
    owner.secrets.update_secret(SecretId="s", Description="described")
    owner.secrets.tag_resource(SecretId="s", Tags=[{"Key": "team", "Value": "a"}])
    arn = owner.secrets.describe_secret(SecretId="s")["ARN"]
    owner.share(arn, secret_statement(owner.root_arn))
    assert there.value("s") == "new"
    assert there.secrets.get_secret_value(SecretId="s", VersionStage="AWSPREVIOUS")["SecretString"] == "s3cret"
    described = there.secrets.describe_secret(SecretId="s")
    assert described["Description"] == "described"
    assert described["Tags"] == [{"Key": "team", "Value": "a"}]
    assert "ResourcePolicy" in there.secrets.get_resource_policy(SecretId="s")


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.put_secret_value(SecretId="s", SecretString="new"),
        lambda s: s.update_secret(SecretId="s", Description="new"),
        lambda s: s.delete_secret(SecretId="s"),
        lambda s: s.tag_resource(SecretId="s", Tags=[{"Key": "a", "Value": "b"}]),
        lambda s: s.delete_resource_policy(SecretId="s"),
        lambda s: s.remove_regions_from_replication(SecretId="s", RemoveReplicaRegions=[THERE]),
    ],
)
def test_a_replica_is_read_only(aws: Aws, call: Callable[[Any], Any]) -> None:
    _, there, _ = replicated(aws)
    with refused("InvalidParameterException", ON_REPLICA):
        call(there.secrets)


def test_a_primary_with_replicas_cannot_be_deleted(aws: Aws) -> None:
    owner, there, _ = replicated(aws)
    for more in ({}, {"ForceDeleteWithoutRecovery": True}):
        with refused("InvalidParameterException", f"still has replica regions [{THERE}]"):
            owner.secrets.delete_secret(SecretId="s", **more)
    answer = owner.secrets.remove_regions_from_replication(SecretId="s", RemoveReplicaRegions=[THERE])
    assert answer["ReplicationStatus"] == []
    with refused("ResourceNotFoundException"):
        there.value("s")
    owner.secrets.delete_secret(SecretId="s")


def test_a_replica_can_become_a_secret_of_its_own(aws: Aws) -> None:
    owner, there, _ = replicated(aws)
    there.secrets.stop_replication_to_replica(SecretId="s")
    assert replicas(owner) == {}
    assert "PrimaryRegion" not in there.secrets.describe_secret(SecretId="s")
    there.secrets.put_secret_value(SecretId="s", SecretString="own")
    assert (owner.value("s"), there.value("s")) == ("s3cret", "own")
    with refused("InvalidRequestException"):
        there.secrets.stop_replication_to_replica(SecretId="s")


@pytest.mark.parametrize("region", [HERE, "cn-north-1", None])
def test_own_region_and_other_partitions_are_no_replica_regions(aws: Aws, region: str | None) -> None:
    owner = aws.account()
    with refused("InvalidParameterException", "Invalid replica region."):
        owner.secret("s", AddReplicaRegions=[{"Region": region}])
    with refused("ResourceNotFoundException"):
        owner.secrets.describe_secret(SecretId="s")
    owner.secret("s")
    with refused("InvalidParameterException", "Invalid replica region."):
        owner.secrets.replicate_secret_to_regions(SecretId="s", AddReplicaRegions=[{"Region": region}])


def test_a_partner_cannot_replicate_to_the_default_key(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn))
    secret = owner.secret("s", secret_statement(partner.root_arn, "secretsmanager:*"), KmsKeyId=key)
    with refused("InvalidRequestException", "default KMS"):
        partner.secrets.replicate_secret_to_regions(SecretId=secret, AddReplicaRegions=[{"Region": THERE}])
    assert replicas(owner) == {}


def test_a_region_is_added_once_and_removed_once(aws: Aws) -> None:
    owner, _, _ = replicated(aws)
    with refused("InvalidParameterException", "Invalid replica region."):
        owner.secrets.replicate_secret_to_regions(SecretId="s", AddReplicaRegions=[{"Region": THERE}])
    with refused("InvalidParameterException", "Invalid replica region."):
        owner.secrets.remove_regions_from_replication(SecretId="s", RemoveReplicaRegions=[ELSEWHERE])


@pytest.mark.parametrize("missing", ["source:kms:Decrypt", "target:kms:GenerateDataKey", "target:kms:Encrypt"])
def test_a_replica_fails_without_the_callers_rights_on_both_keys_and_can_be_tried_again(aws: Aws, missing: str) -> None:
    owner = aws.account()
    source, target = owner.key(), key_in(owner, THERE)
    owner.secret("s", KmsKeyId=source)
    which, _, action = missing.partition(":")
    granted = {"source": ["kms:Decrypt"], "target": ["kms:GenerateDataKey", "kms:Encrypt", "kms:Decrypt"]}
    granted[which].remove(action)
    statements = [
        {"Effect": "Allow", "Action": actions, "Resource": {"source": source, "target": target}[key]}
        for key, actions in granted.items()
        if actions
    ]
    role = owner.as_role("writer", allow("secretsmanager:*"), policy(*statements))
    regions = [{"Region": THERE, "KmsKeyId": target}]
    role.secrets.replicate_secret_to_regions(SecretId="s", AddReplicaRegions=regions)
    status = replicas(owner)[THERE]
    assert status["Status"] == "Failed"
    assert "Access to KMS is not allowed" in status["StatusMessage"]
    with refused("ResourceNotFoundException"):
        owner.within(THERE).value("s")
    owner.secrets.replicate_secret_to_regions(SecretId="s", AddReplicaRegions=regions)
    assert replicas(owner)[THERE]["Status"] == "InSync"
    assert owner.within(THERE).value("s") == "s3cret"


def test_a_name_that_is_taken_fails_unless_it_is_overwritten(aws: Aws) -> None:
    owner = aws.account()
    there = owner.within(THERE)
    there.secrets.create_secret(Name="s", SecretString="other")
    owner.secret("s", AddReplicaRegions=[{"Region": THERE}])
    status = replicas(owner)[THERE]
    assert status["Status"] == "Failed"
    assert "already exists" in status["StatusMessage"]
    assert there.value("s") == "other"
    owner.secrets.replicate_secret_to_regions(
        SecretId="s", AddReplicaRegions=[{"Region": THERE}], ForceOverwriteReplicaSecret=True
    )
    assert there.value("s") == "s3cret"


def test_removing_a_failed_replica_leaves_the_other_secret_alone(aws: Aws) -> None:
    owner = aws.account()
    there = owner.within(THERE)
    there.secrets.create_secret(Name="s", SecretString="other")
    owner.secret("s", AddReplicaRegions=[{"Region": THERE}])
    owner.secrets.remove_regions_from_replication(SecretId="s", RemoveReplicaRegions=[THERE])
    assert there.value("s") == "other"


def test_a_later_value_that_cannot_be_replicated_shows_as_failed(aws: Aws) -> None:
    owner, there, key = replicated(aws)
    aws.admin("POST", "keys/state", arn=key, state="Disabled")
    owner.secrets.put_secret_value(SecretId="s", SecretString="new")
    assert replicas(owner)[THERE]["Status"] == "Failed"
    aws.admin("POST", "keys/state", arn=key, state="Enabled")
    assert there.value("s") == "s3cret"
    owner.secrets.put_secret_value(SecretId="s", SecretString="newer")
    assert replicas(owner)[THERE]["Status"] == "InSync"
    assert there.value("s") == "newer"


@pytest.fixture
def slow_replication(aws: Aws) -> Any:
    aws.admin("POST", "options", replication_lag_ms=60_000)
    yield
    aws.admin("POST", "options", replication_lag_ms=0)


@pytest.mark.usefixtures("slow_replication")
def test_replication_takes_its_time_when_asked_to(aws: Aws) -> None:
    owner = aws.account()
    owner.secret("s", AddReplicaRegions=[{"Region": THERE}])
    assert replicas(owner)[THERE]["Status"] == "InProgress"
    with refused("ResourceNotFoundException"):
        owner.within(THERE).value("s")
    aws.admin("POST", "options", replication_lag_ms=1)
    deadline = time.monotonic() + 10
    while replicas(owner)[THERE]["Status"] != "InSync":
        assert time.monotonic() < deadline, "the replica is not in sync after 10 s"
    assert owner.within(THERE).value("s") == "s3cret"
