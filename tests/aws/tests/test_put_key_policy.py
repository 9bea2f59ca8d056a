"""What PutKeyPolicy and CreateKey refuse (D§1.1, D§1.5)."""

import json
from typing import Any

import pytest
from world import Account, Aws, allow, key_statement, policy, refused

MALFORMED = "MalformedPolicyDocumentException"
INVALID_PRINCIPALS = "Policy contains a statement with one or more invalid principals."
LOCKOUT = "The new key policy will not allow you to update the key policy in the future."


def put_text(account: Account, key: str, text: str, **more: Any) -> None:
    account.kms.put_key_policy(KeyId=key, Policy=text, **more)


@pytest.mark.parametrize(
    "broken",
    [
        "no json",
        "[]",
        "{}",
        '{"Version": "2012-10-17"}',
        '{"Version": "2012-10-17", "Statement": []}',
        '{"Version": "2012-10-17", "Statement": ["x"]}',
    ],
)
def test_what_is_no_policy_is_refused(aws: Aws, broken: str) -> None:
    owner = aws.account()
    with refused(MALFORMED):
        put_text(owner, owner.key(), broken)


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": None},
        {"Effect": "Permit"},
        {"Principal": None},
        {"Principal": "someone"},
        {"Principal": []},
        {"Principal": {}},
        {"Principal": {"AWS": []}},
        {"Principal": {"Aws": "*"}},
        {"Principal": {"AWS": 5}},
        {"NotPrincipal": {"AWS": "*"}},
        {"Action": "Decrypt"},
        {"Action": []},
        {"NotAction": "kms:Decrypt"},
        {"Resource": {"a": "b"}},
        {"Sid": 5},
        {"Foo": "bar"},
        {"Condition": []},
        {"Condition": {"StringAlmostEquals": {"kms:ViaService": "x"}}},
        {"Condition": {"StringEquals": "x"}},
        {"Condition": {"StringEquals": {"kms:ViaService": {}}}},
    ],
)
def test_a_statement_out_of_grammar_is_refused(aws: Aws, change: dict) -> None:
    owner = aws.account()
    key = owner.key()
    statement = {k: v for k, v in (key_statement(owner.root_arn) | change).items() if v is not None}
    with refused(MALFORMED):
        owner.put(key, statement)
    assert len(owner.read(key)["Statement"]) == 1


@pytest.mark.parametrize("change", [{"Version": None}, {"Version": "2024-01-01"}, {"Statements": []}, {"Id": 5}])
def test_a_document_out_of_grammar_is_refused(aws: Aws, change: dict) -> None:
    owner = aws.account()
    document = policy(key_statement(owner.root_arn, "kms:*")) | change
    with refused(MALFORMED):
        put_text(owner, owner.key(), json.dumps({k: v for k, v in document.items() if v is not None}))


def test_forms_that_the_grammar_allows_are_taken(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key()
    document = {
        "Id": "any id",
        "Statement": {
            "Sid": "with spaces / and ümlauts",
            "Effect": "allow",
            "Principal": {"AWS": [partner.id, owner.root_arn, "*"], "Service": "logs.us-east-1.amazonaws.com"},
            "NotAction": "kms:Foo",
            "Resource": ["*"],
            "Condition": {
                "Bool": {"aws:PrincipalIsAWSService": False},
                "NumericLessThan": {"aws:EpochTime": 99999999999},
            },
        },
        "Version": "2012-10-17",
    }
    put_text(owner, key, json.dumps(document, ensure_ascii=False))
    assert owner.read(key)["Statement"][0]["Sid"] == "with spaces / and ümlauts"


@pytest.mark.parametrize("character", ["\u201c", "\u2013", "\U0001f511", "\u9375", "\u0100"])
def test_characters_beyond_latin_1_are_refused(aws: Aws, character: str) -> None:
    owner = aws.account()
    document = policy(key_statement(owner.root_arn, "kms:*", Sid=character))
    with refused("ValidationException", "Member must satisfy regular expression pattern"):
        put_text(owner, owner.key(), json.dumps(document, ensure_ascii=False))


def test_32768_bytes_fit_and_one_more_does_not(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()
    text = json.dumps(policy(key_statement(owner.root_arn, "kms:*")))
    put_text(owner, key, text + " " * (32_768 - len(text)))
    with refused("LimitExceededException"):
        put_text(owner, key, text + " " * (32_769 - len(text)))


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:iam::{partner}:role/nobody",
        "arn:aws:iam::{partner}:user/nobody",
        "arn:aws:iam::{partner}:role/pathless",
        "arn:aws:iam::{partner}:role/wrong/reader",
        "arn:aws:iam::{partner}:user/READER",
        "arn:aws:iam::{partner}:group/readers",
        "arn:aws:iam::{partner}:role/*",
        "arn:aws:iam::{partner}:*",
        "arn:aws-cn:iam::{partner}:role/reader",
        "arn:aws-cn:iam::{partner}:root",
        "arn:aws:sts::{partner}:assumed-role/nobody/session",
        "arn:aws:sts::{partner}:assumed-role/reader/*",
        "arn:aws:iam::123456789012:root",
        "123456789012",
        "arn:aws:iam::{partner}:root ",
        "AROAEXAMPLEEXAMPLE123",
        "AIDAEXAMPLEEXAMPLE123",
        "reader",
        "*.amazonaws.com",
        "",
    ],
)
def test_a_principal_that_names_nobody_is_refused_without_saying_which(aws: Aws, principal: str) -> None:
    owner, partner = aws.account(), aws.account()
    partner.role("reader")
    partner.role("pathless", path="/team/")
    partner.user("reader")
    partner.iam.create_group(GroupName="readers")
    good = [f"arn:aws:iam::{partner.id}:role/reader", f"arn:aws:iam::{partner.id}:role/team/pathless"]
    key = owner.key(key_statement(good))
    with refused(MALFORMED, INVALID_PRINCIPALS):
        owner.put(key, key_statement([*good, principal.format(partner=partner.id)]))


def test_a_deny_statements_principals_must_exist_too(aws: Aws) -> None:
    owner = aws.account()
    nobody = f"arn:aws:iam::{owner.id}:role/nobody"
    with refused(MALFORMED, INVALID_PRINCIPALS):
        owner.put(owner.key(), key_statement(nobody, effect="Deny"))
    with refused(MALFORMED, INVALID_PRINCIPALS):
        owner.put(owner.key(), {"Effect": "Deny", "NotPrincipal": {"AWS": nobody}, "Action": "kms:*", "Resource": "*"})


def test_somebody_elses_orphan_blocks_every_write(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    foreign = key_statement(partner.role("gone"), Sid="foreign")
    key = owner.key(foreign)
    partner.iam.delete_role(RoleName="gone")
    stored = owner.read(key)
    orphan = next(s for s in stored["Statement"] if s.get("Sid") == "foreign")["Principal"]["AWS"]
    assert orphan.startswith("AROA")
    stored["Statement"].append(key_statement(partner.root_arn))
    with refused(MALFORMED, INVALID_PRINCIPALS):
        put_text(owner, key, json.dumps(stored))


class TestLockout:
    def test_a_policy_without_the_caller_is_refused(self, aws: Aws) -> None:
        owner, partner = aws.account(), aws.account()
        key = owner.key()
        with refused(MALFORMED, LOCKOUT):
            owner.put(key, key_statement(partner.root_arn, "kms:*"), owner=False)
        with refused(MALFORMED, LOCKOUT):
            owner.put(key, key_statement(owner.root_arn, "kms:PutKeyPolicy", "Deny"))

    def test_it_also_fires_when_only_iam_lacks_the_permission(self, aws: Aws) -> None:
        owner = aws.account()
        role = owner.as_role("operator", allow("kms:DescribeKey"))
        operator = f"arn:aws:iam::{owner.id}:role/operator"
        key = owner.key(key_statement(operator, ["kms:PutKeyPolicy", "kms:GetKeyPolicy"]))
        with refused(MALFORMED, LOCKOUT):
            owner.put(key, caller=role)
        owner.iam.put_role_policy(
            RoleName="operator", PolicyName="put", PolicyDocument=json.dumps(allow("kms:PutKeyPolicy", key))
        )
        owner.put(key, caller=role)

    def test_the_check_can_be_bypassed_unless_a_condition_forbids_it(self, aws: Aws) -> None:
        owner, partner = aws.account(), aws.account()
        locked_out = json.dumps(policy(key_statement(partner.root_arn, "kms:*")))
        put_text(owner, owner.key(), locked_out, BypassPolicyLockoutSafetyCheck=True)
        condition = {"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "true"}}
        guarded = owner.key(key_statement("*", "kms:PutKeyPolicy", "Deny", Condition=condition))
        with refused("AccessDeniedException", "with an explicit deny in a resource-based policy"):
            put_text(owner, guarded, locked_out, BypassPolicyLockoutSafetyCheck=True)


@pytest.mark.parametrize("condition_key", ["kms:EncryptionContext:team", "aws:RequestTag/team"])
def test_for_all_values_on_a_single_valued_key_is_overly_permissive(aws: Aws, condition_key: str) -> None:
    owner = aws.account()
    key = owner.key()
    with refused(MALFORMED, "OverlyPermissiveCondition: "):
        owner.put(key, key_statement("*", Condition={"ForAllValues:StringEquals": {condition_key: "x"}}))
    owner.put(key, key_statement("*", Condition={"ForAnyValue:StringEquals": {condition_key: "x"}}))


def test_only_default_is_a_policy_name(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()
    text = json.dumps(policy(key_statement(owner.root_arn, "kms:*")))
    put_text(owner, key, text, PolicyName="default")
    with refused("NotFoundException"):
        put_text(owner, key, text, PolicyName="other")
    assert owner.kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]


def test_create_key_holds_its_policy_to_the_same_rules_and_leaves_no_key_behind(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    nobody = key_statement(f"arn:aws:iam::{owner.id}:role/nobody")
    root = key_statement(owner.root_arn, "kms:*")
    for document, code in (
        (policy(root, nobody), MALFORMED),
        (policy(key_statement(partner.root_arn, "kms:*")), MALFORMED),
        (policy(root | {"Sid": "x" * 33_000}), "LimitExceededException"),
    ):
        with refused(code):
            owner.kms.create_key(Policy=json.dumps(document))
    assert owner.kms.list_keys()["Keys"] == []
    made = owner.kms.create_key(Policy=json.dumps(policy(root | {"Sid": "mine"})))["KeyMetadata"]["Arn"]
    assert owner.read(made)["Statement"][0]["Sid"] == "mine"
