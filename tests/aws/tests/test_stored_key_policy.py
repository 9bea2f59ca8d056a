"""What GetKeyPolicy gives back is not what PutKeyPolicy was given (D§1.4)."""

import json

import pytest
from world import USE, Aws, allow, key_statement, policy, refused


def principal(document: dict, sid: str) -> object:
    return next(s for s in document["Statement"] if s.get("Sid") == sid)["Principal"]["AWS"]


def test_the_text_is_printed_anew(aws: Aws) -> None:
    owner = aws.account()
    text = owner.kms.get_key_policy(KeyId=owner.key(), PolicyName="default")["Policy"]
    assert '"Version" : "2012-10-17"' in text
    assert "\n" in text


def test_an_account_id_becomes_its_root_arn_and_one_element_lists_become_bare(aws: Aws) -> None:
    owner, partner = aws.account("aws-cn"), aws.account("aws-cn")
    condition = {"StringEquals": {"kms:CallerAccount": [partner.id]}}
    statement = key_statement([partner.id], ["kms:Decrypt"], Sid="s", Condition=condition) | {"Resource": ["*"]}
    stored = owner.read(owner.key(statement))["Statement"]
    assert isinstance(stored, list)
    assert stored[1] == {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws-cn:iam::{partner.id}:root"},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:CallerAccount": partner.id}},
    }


def test_everything_else_stays(aws: Aws) -> None:
    owner = aws.account()
    statement = key_statement(
        "*", ["kms:Decrypt", "kms:decrypt", "kms:Decrypt"], Sid="odd", Condition={"Bool": {"aws:SecureTransport": True}}
    )
    document = policy(key_statement(owner.root_arn, "kms:*"), statement) | {"Id": "mine"}
    key = owner.key()
    owner.kms.put_key_policy(KeyId=key, Policy=json.dumps(document))
    assert owner.read(key) == document


def test_principals_come_in_another_order_at_each_read(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    roles = [partner.role(f"r{number}") for number in range(6)]
    key = owner.key(key_statement(roles, Sid="s"))
    reads = [tuple(principal(owner.read(key), "s")) for _ in range(20)]
    assert {frozenset(read) for read in reads} == {frozenset(roles)}
    assert len(set(reads)) > 1


@pytest.mark.parametrize("kind", ["role", "user"])
def test_after_deletion_the_unique_id_is_read_and_recreation_restores_nothing(aws: Aws, kind: str) -> None:
    owner, partner = aws.account(), aws.account()
    name = {"RoleName" if kind == "role" else "UserName": "reader"}
    arn = f"arn:aws:iam::{partner.id}:{kind}/reader"

    def create():
        if kind == "role":
            return partner.as_role("reader", allow(USE))
        return partner.user("reader", allow(USE))

    def delete() -> None:
        getattr(partner.iam, f"delete_{kind}_policy")(**name, PolicyName="p0")
        if kind == "user":
            for key in partner.iam.list_access_keys(UserName="reader")["AccessKeyMetadata"]:
                partner.iam.delete_access_key(UserName="reader", AccessKeyId=key["AccessKeyId"])
        getattr(partner.iam, f"delete_{kind}")(**name)

    caller = create()
    key = owner.key(key_statement(arn, Sid="s"))
    caller.kms.describe_key(KeyId=key)
    assert principal(owner.read(key), "s") == arn

    delete()
    orphan = principal(owner.read(key), "s")
    assert orphan.startswith("AROA" if kind == "role" else "AIDA")

    recreated = create()
    assert principal(owner.read(key), "s") == orphan
    with refused("AccessDeniedException"):
        recreated.kms.describe_key(KeyId=key)

    owner.put(key, key_statement(arn, Sid="s"))
    recreated.kms.describe_key(KeyId=key)


def test_a_renamed_user_is_read_under_its_new_name(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    partner.user("before")
    key = owner.key(key_statement(f"arn:aws:iam::{partner.id}:user/before", Sid="s"))
    partner.iam.update_user(UserName="before", NewUserName="after")
    assert principal(owner.read(key), "s") == f"arn:aws:iam::{partner.id}:user/after"
