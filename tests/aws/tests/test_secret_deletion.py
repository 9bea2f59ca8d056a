"""Deletion with a recovery window and without, and restoring (D§5.7)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from world import Account, Aws, allow, refused, secret_statement

MARKED = "You can't perform this operation on the secret because it was marked for deletion."


def days_left(moment: datetime) -> float:
    return (moment - datetime.now(UTC)) / timedelta(days=1)


@pytest.mark.parametrize(("window", "days"), [({}, 30), ({"RecoveryWindowInDays": 7}, 7)])
def test_a_secret_is_scheduled_and_restored(aws: Aws, window: dict, days: int) -> None:
    owner = aws.account()
    secret = owner.secret("s")
    answer = owner.secrets.delete_secret(SecretId=secret, **window)
    assert days - 0.01 < days_left(answer["DeletionDate"]) <= days
    assert owner.secrets.describe_secret(SecretId=secret)["DeletedDate"] == answer["DeletionDate"]
    with refused("InvalidRequestException", "already scheduled for deletion"):
        owner.secrets.delete_secret(SecretId=secret)
    owner.secrets.restore_secret(SecretId=secret)
    assert "DeletedDate" not in owner.secrets.describe_secret(SecretId=secret)
    assert owner.value(secret) == "s3cret"


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.get_secret_value(SecretId="s"),
        lambda s: s.put_secret_value(SecretId="s", SecretString="new"),
        lambda s: s.update_secret(SecretId="s", Description="new"),
        lambda s: s.get_resource_policy(SecretId="s"),
        lambda s: s.put_resource_policy(SecretId="s", ResourcePolicy="{}"),
        lambda s: s.delete_resource_policy(SecretId="s"),
        lambda s: s.tag_resource(SecretId="s", Tags=[{"Key": "a", "Value": "b"}]),
        lambda s: s.untag_resource(SecretId="s", TagKeys=["a"]),
        lambda s: s.replicate_secret_to_regions(SecretId="s", AddReplicaRegions=[{"Region": "eu-west-1"}]),
        lambda s: s.rotate_secret(SecretId="s"),
    ],
)
def test_a_scheduled_secret_refuses_reads_and_writes(aws: Aws, call: Callable[[Any], Any]) -> None:
    owner = aws.account()
    owner.secret("s")
    owner.secrets.delete_secret(SecretId="s")
    with refused("InvalidRequestException", MARKED):
        call(owner.secrets)


def test_a_scheduled_secret_keeps_its_name_and_shows_only_when_asked_for(aws: Aws) -> None:
    owner = aws.account()
    owner.secret("s")
    owner.secrets.delete_secret(SecretId="s")
    with refused("InvalidRequestException", "a secret with this name is already scheduled for deletion"):
        owner.secret("s")
    assert owner.secrets.list_secrets()["SecretList"] == []
    assert len(owner.secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]) == 1
    assert len(owner.secrets.list_secret_version_ids(SecretId="s")["Versions"]) == 1


@pytest.mark.parametrize("days", [0, 6, 31])
def test_the_window_has_bounds(aws: Aws, days: int) -> None:
    owner = aws.account()
    owner.secret("s")
    with refused("InvalidParameterException"):
        owner.secrets.delete_secret(SecretId="s", RecoveryWindowInDays=days)


def test_window_and_force_exclude_each_other(aws: Aws) -> None:
    owner = aws.account()
    owner.secret("s")
    with refused("InvalidParameterException"):
        owner.secrets.delete_secret(SecretId="s", RecoveryWindowInDays=7, ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize("scheduled", [False, True])
def test_without_recovery_it_is_gone_and_its_successor_has_another_arn(aws: Aws, scheduled: bool) -> None:
    owner = aws.account()
    first = owner.secret("s")
    if scheduled:
        owner.secrets.delete_secret(SecretId="s")
    owner.secrets.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
    with refused("ResourceNotFoundException"):
        owner.secrets.describe_secret(SecretId="s")
    with refused("ResourceNotFoundException"):
        owner.secrets.restore_secret(SecretId="s")
    second = owner.secret("s")
    assert second != first
    assert second[:-6] == first[:-6]


def test_an_exact_arn_in_a_policy_does_not_open_the_successor(aws: Aws) -> None:
    owner = aws.account()
    first = owner.secret("s")
    role = owner.as_role("reader", allow("secretsmanager:GetSecretValue", first))
    assert role.value("s") == "s3cret"
    owner.secrets.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
    second = owner.secret("s", secret_statement(owner.root_arn, Resource=first))
    with refused("AccessDeniedException", second):
        role.value("s")


def test_a_missing_secret_is_an_error_unless_forced(aws: Aws) -> None:
    owner = aws.account()
    with refused("ResourceNotFoundException"):
        owner.secrets.delete_secret(SecretId="s")
    assert owner.secrets.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)["Name"] == "s"


@pytest.fixture
def slow_names(aws: Aws) -> Any:
    aws.admin("POST", "options", secret_name_lag_ms=60_000)
    yield
    aws.admin("POST", "options", secret_name_lag_ms=0)


@pytest.mark.usefixtures("slow_names")
def test_the_name_may_be_taken_for_a_while_after_forced_deletion(aws: Aws) -> None:
    owner: Account = aws.account()
    owner.secret("s")
    owner.secrets.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
    with refused("InvalidRequestException", "because it was deleted"):
        owner.secret("s")
    aws.admin("POST", "options", secret_name_lag_ms=0)
    owner.secret("s")
