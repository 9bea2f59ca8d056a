"""Reads that lag behind writes, and principals that KMS does not see yet (D§1.4, D§1.5, D§4.7)."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import started
from world import Account, Aws, allow, key_statement, refused

LONG = 60_000
BEFORE = ["Enable IAM User Permissions"]


def eventually(read: Callable[[], Any], wanted: Any) -> float:
    """How long it took until the read gave what is wanted."""
    begin = time.monotonic()
    while read() != wanted:
        assert time.monotonic() < begin + 10, "the write was not seen within 10 s"
        time.sleep(0.01)
    return time.monotonic() - begin


def sids(account: Account, key: str) -> list[str]:
    return [statement.get("Sid", "") for statement in account.read(key)["Statement"]]


def test_get_key_policy_answers_the_state_before_a_write_until_the_lag_is_over(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()
    aws.admin("POST", "lag", account=owner.id, ms=400)
    begin = time.monotonic()
    owner.put(key, key_statement("*", Sid="new"))
    assert sids(owner, key) == BEFORE
    eventually(lambda: sids(owner, key), ["", "new"])
    assert time.monotonic() - begin >= 0.4


def test_access_follows_the_write_at_once(aws: Aws) -> None:
    owner = aws.account()
    role = owner.as_role("reader")
    key = owner.key()
    aws.admin("POST", "lag", account=owner.id, ms=LONG)
    owner.put(key, key_statement(f"arn:aws:iam::{owner.id}:role/reader"))
    role.kms.describe_key(KeyId=key)


def test_a_flapping_read_answers_either_state(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()
    aws.admin("POST", "lag", account=owner.id, ms=LONG, flapping=True)
    owner.put(key, key_statement("*", Sid="new"))
    assert {tuple(sids(owner, key)) for _ in range(50)} == {tuple(BEFORE), ("", "new")}
    aws.admin("POST", "lag", account=owner.id, ms=0)
    assert {tuple(sids(owner, key)) for _ in range(20)} == {("", "new")}


def test_iam_reads_lag_and_writes_meet_the_present_state(aws: Aws) -> None:
    account = aws.account()
    account.role("r")
    aws.admin("POST", "lag", account=account.id, ms=400)
    document = json.dumps(allow("kms:Decrypt"))
    account.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document)
    with refused("NoSuchEntity"):
        account.iam.get_role_policy(RoleName="r", PolicyName="p")
    account.iam.delete_role_policy(RoleName="r", PolicyName="p")
    account.iam.put_role_policy(RoleName="r", PolicyName="q", PolicyDocument=document)

    def names() -> list[str]:
        return account.iam.list_role_policies(RoleName="r")["PolicyNames"]

    assert names() == []
    eventually(names, ["q"])


def test_the_lag_is_the_accounts_own(aws: Aws) -> None:
    slow, fast = aws.account(), aws.account()
    aws.admin("POST", "lag", account=slow.id, ms=LONG)
    slow.role("r")
    with refused("NoSuchEntity"):
        slow.iam.get_role(RoleName="r")
    fast.role("r")
    fast.iam.get_role(RoleName="r")


@pytest.fixture
def own_aws(tmp_path) -> Iterator[Aws]:
    """For options that hold for a whole server."""
    process, port = started(tmp_path)
    yield Aws(port)
    process.stdin.close()
    process.wait(10)


def test_a_new_role_is_an_invalid_principal_until_it_reached_kms(own_aws: Aws) -> None:
    owner = own_aws.account()
    key = owner.key()
    own_aws.admin("POST", "options", principal_lag_ms=500)
    role = owner.role("new")
    with refused("MalformedPolicyDocumentException", "invalid principals"):
        owner.put(key, key_statement(role))

    def accepted() -> bool:
        try:
            owner.put(key, key_statement(role))
        except owner.kms.exceptions.MalformedPolicyDocumentException:
            return False
        return True

    eventually(accepted, True)
