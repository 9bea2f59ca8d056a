"""Condition keys and operators in key policies and IAM policies (D§2.4)."""

import json

import pytest
from world import USE, Aws, allow, key_statement, refused


@pytest.mark.parametrize(
    ("condition", "opens"),
    [
        ({"StringEquals": {"kms:CallerAccount": "{partner}"}}, True),
        ({"StringEquals": {"kms:CallerAccount": "{owner}"}}, False),
        ({"StringEquals": {"aws:PrincipalAccount": ["{owner}", "{partner}"]}}, True),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-ours"}}, True),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-theirs"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::{partner}:role/team/*"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::{partner}:role/reader"}}, False),
        ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:sts::{partner}:assumed-role/reader/test"}}, False),
        ({"stringlike": {"AWS:principalarn": "*:role/team/reader"}}, True),
        ({"StringNotEquals": {"kms:CallerAccount": "{owner}"}}, True),
        ({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, False),
        ({"StringNotEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, True),
        ({"StringEqualsIfExists": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, True),
        ({"Null": {"kms:ViaService": "true"}}, True),
        ({"Null": {"kms:ViaService": False}}, False),
        ({"Bool": {"aws:PrincipalIsAWSService": "false"}}, True),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
        ({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.1"]}}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
        ({"NumericLessThan": {"aws:EpochTime": "1000"}}, False),
        ({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}, "Bool": {"kms:MultiRegion": False}}, True),
        ({"StringEquals": {"kms:CallerAccount": "{partner}", "aws:PrincipalOrgID": "o-theirs"}}, False),
    ],
)
def test_a_condition_of_the_key_policy(aws: Aws, condition: dict, opens: bool) -> None:
    owner, partner = aws.account(), aws.account(org="o-ours")
    filled = json.loads(json.dumps(condition).replace("{owner}", owner.id).replace("{partner}", partner.id))
    key = owner.key(key_statement("*", Condition=filled))
    role = partner.as_role("reader", allow(USE), path="/team/")
    if opens:
        role.kms.describe_key(KeyId=key)
    else:
        with refused("AccessDeniedException"):
            role.kms.describe_key(KeyId=key)


def test_the_encryption_context_decides_and_fails_describe_key(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    condition = {"StringEquals": {"kms:EncryptionContext:Team": "blue"}}
    key = owner.key(key_statement(partner.root_arn, Condition=condition))
    role = partner.as_role("reader", allow(USE))
    blob = role.kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"team": "blue"})["CiphertextBlob"]
    assert role.kms.decrypt(CiphertextBlob=blob, EncryptionContext={"team": "blue"})["Plaintext"] == b"x"
    for context in ({}, {"team": "red"}):
        with refused("AccessDeniedException"):
            role.kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)
    with refused("AccessDeniedException"):
        role.kms.describe_key(KeyId=key)


@pytest.mark.parametrize(
    ("operator", "context", "opens"),
    [
        ("ForAnyValue:StringEquals", {"a": "1", "c": "2"}, True),
        ("ForAnyValue:StringEquals", {"c": "2"}, False),
        ("ForAnyValue:StringEquals", {}, False),
        ("ForAllValues:StringEquals", {"a": "1", "b": "2"}, True),
        ("ForAllValues:StringEquals", {"a": "1", "c": "2"}, False),
        ("ForAllValues:StringEquals", {}, True),
        ("ForAnyValue:StringNotEquals", {"a": "1", "c": "2"}, True),
        ("ForAnyValue:StringNotEquals", {"a": "1", "b": "2"}, False),
        ("ForAllValues:StringNotEquals", {"c": "1", "d": "2"}, True),
        ("ForAllValues:StringNotEquals", {"a": "1", "c": "2"}, False),
        ("StringNotEquals", {"a": "1", "c": "2"}, False),
        ("StringNotEquals", {"c": "1", "d": "2"}, True),
    ],
)
def test_set_operators_on_the_keys_of_the_encryption_context(
    aws: Aws, operator: str, context: dict, opens: bool
) -> None:
    owner = aws.account()
    key = owner.key()
    condition = {operator: {"kms:EncryptionContextKeys": ["a", "b"]}}
    role = owner.as_role("reader", allow("kms:Encrypt", key, Condition=condition))
    if opens:
        role.kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)
    else:
        with refused("AccessDeniedException"):
            role.kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)


def test_grants_for_aws_resources_are_not_made_by_people(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    actions = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]
    condition = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    key = owner.key(key_statement(partner.root_arn, actions, Condition=condition))
    role = partner.as_role("reader", allow("kms:*"))
    with refused("AccessDeniedException"):
        role.kms.create_grant(KeyId=key, GranteePrincipal=partner.root_arn, Operations=["Decrypt"])
    with refused("AccessDeniedException"):
        role.kms.list_grants(KeyId=key)


def test_a_request_can_be_held_to_an_alias(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()
    owner.kms.create_alias(AliasName="alias/door", TargetKeyId=key)
    condition = {"StringEquals": {"kms:RequestAlias": "alias/door"}}
    role = owner.as_role("reader", allow("kms:Encrypt", key, Condition=condition))
    role.kms.encrypt(KeyId="alias/door", Plaintext=b"x")
    with refused("AccessDeniedException"):
        role.kms.encrypt(KeyId=key, Plaintext=b"x")


def test_resource_aliases_count_in_iam_policies_only(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/door"}}
    key = owner.key(key_statement(partner.root_arn))
    owner.kms.create_alias(AliasName="alias/door", TargetKeyId=key)
    role = partner.as_role("reader", allow(USE, Condition=condition))
    role.kms.describe_key(KeyId=key)
    owner.put(key, key_statement(partner.root_arn, Condition=condition))
    with refused("AccessDeniedException"):
        role.kms.describe_key(KeyId=key)


def test_a_policy_variable_is_filled_from_the_request(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()
    condition = {"StringEquals": {"kms:EncryptionContext:user": "${aws:username}"}}
    user = owner.user("ann", allow("kms:Encrypt", key, Condition=condition))
    user.kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"user": "ann"})
    with refused("AccessDeniedException"):
        user.kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"user": "bob"})
