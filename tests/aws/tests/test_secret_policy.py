"""The secret's resource policy (D§5.7)."""

import json
from typing import Any

import pytest
from world import Account, Aws, allow, deny, policy, refused, secret_statement

UNSUPPORTED = "This resource policy contains an unsupported principal"
EVERYONE = secret_statement("*", Resource="*")


def read(account: Account, secret: str) -> str | None:
    return account.secrets.get_resource_policy(SecretId=secret).get("ResourcePolicy")


def put(account: Account, secret: str, document: Any, **more: Any) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    account.secrets.put_resource_policy(SecretId=secret, ResourcePolicy=text, **more)


def test_a_policy_is_read_back_as_it_was_put_and_gone_after_deletion(aws: Aws) -> None:
    owner = aws.account()
    secret = owner.secret("s")
    assert read(owner, secret) is None
    text = json.dumps(policy(secret_statement([owner.root_arn])), indent=3)
    put(owner, secret, text)
    assert read(owner, secret) == text
    owner.secrets.delete_resource_policy(SecretId=secret)
    assert read(owner, secret) is None


def test_a_deleted_role_is_read_back_as_its_id_and_cannot_be_put_again(aws: Aws) -> None:
    owner = aws.account()
    role = owner.role("reader")
    role_id = owner.iam.get_role(RoleName="reader")["Role"]["RoleId"]
    secret = owner.secret("s", secret_statement(role))
    owner.iam.delete_role(RoleName="reader")
    stored = read(owner, secret)
    assert stored is not None
    assert json.loads(stored)["Statement"][0]["Principal"] == {"AWS": role_id}
    with refused("MalformedPolicyDocumentException", UNSUPPORTED):
        put(owner, secret, stored)


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:iam::{id}:role/nobody",
        "arn:aws:iam::{id}:role/reader",  # its path is missing
        "arn:aws:iam::{id}:group/readers",
        "arn:aws-cn:iam::{id}:root",
        "arn:aws:iam::999999999999:root",
        "arn:aws:iam::{id}:role/team/*",
    ],
)
def test_principals_must_exist(aws: Aws, principal: str) -> None:
    owner = aws.account()
    owner.role("reader", path="/team/")
    owner.iam.create_group(GroupName="readers")
    secret = owner.secret("s")
    owner.share(secret, secret_statement(f"arn:aws:iam::{owner.id}:role/team/reader"))
    with refused("MalformedPolicyDocumentException", UNSUPPORTED):
        owner.share(secret, secret_statement(principal.format(id=owner.id)))


@pytest.mark.parametrize(
    "document",
    [
        "{",
        {"Version": "2012-10-17", "Statement": []},
        {"Statement": [EVERYONE]},
        policy({**EVERYONE, "Effect": "Perhaps"}),
        policy({**EVERYONE, "Sid": "not alphanumeric"}),
        policy({**EVERYONE, "Sid": "twice"}, {**EVERYONE, "Sid": "twice"}),
        policy({**EVERYONE, "Unknown": 1}),
        policy({"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}),
        policy({"Effect": "Allow", "Principal": "*", "Resource": "*"}),
        policy({"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:*"}),
    ],
)
def test_malformed_documents_are_refused_and_change_nothing(aws: Aws, document: Any) -> None:
    owner = aws.account()
    secret = owner.secret("s", secret_statement(owner.root_arn))
    before = read(owner, secret)
    with refused("MalformedPolicyDocumentException"):
        put(owner, secret, document)
    assert read(owner, secret) == before


def test_20480_characters_are_the_limit(aws: Aws) -> None:
    owner = aws.account()
    secret = owner.secret("s")
    text = json.dumps(policy(secret_statement(owner.root_arn)))
    put(owner, secret, text.ljust(20_480))
    with refused("ValidationException", "less than or equal to 20480"):
        put(owner, secret, text.ljust(20_481))


@pytest.mark.parametrize(
    "statement",
    [
        EVERYONE,
        secret_statement("*", Condition={"StringLike": {"aws:PrincipalArn": "*"}}),
        secret_statement("*", Condition={"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-ours"}}),
        secret_statement("*", Condition={"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-ours"}}),
        secret_statement("*", Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-theirs"}}),
        secret_statement("*", Condition={"Bool": {"aws:SecureTransport": "true"}}),
    ],
)
def test_a_broad_policy_is_blocked_only_when_asked(aws: Aws, statement: dict) -> None:
    owner = aws.account()
    secret = owner.secret("s")
    with refused("PublicPolicyException"):
        put(owner, secret, policy(statement), BlockPublicPolicy=True)
    assert read(owner, secret) is None
    put(owner, secret, policy(statement))


@pytest.mark.parametrize(
    "statement",
    [
        secret_statement("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-ours"}}),
        secret_statement("*", Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::444455556666:role/*"}}),
        secret_statement("*", effect="Deny"),
    ],
)
def test_a_narrow_policy_passes_the_block(aws: Aws, statement: dict) -> None:
    owner = aws.account()
    put(owner, owner.secret("s"), policy(statement), BlockPublicPolicy=True)


def test_the_block_can_be_required_of_a_writer(aws: Aws) -> None:
    owner = aws.account()
    secret = owner.secret("s")
    unblocked = deny(
        "secretsmanager:PutResourcePolicy", Condition={"Bool": {"secretsmanager:BlockPublicPolicy": "false"}}
    )
    role = owner.as_role("writer", allow("secretsmanager:*"), unblocked)
    text = json.dumps(policy(secret_statement(owner.root_arn)))
    with refused("AccessDeniedException"):
        role.secrets.put_resource_policy(SecretId=secret, ResourcePolicy=text, BlockPublicPolicy=False)
    role.secrets.put_resource_policy(SecretId=secret, ResourcePolicy=text, BlockPublicPolicy=True)


class TestValidation:
    def validate(self, account: Account, *statements: dict, **more: str) -> set[str]:
        text = json.dumps(policy(*statements))
        answer = account.secrets.validate_resource_policy(ResourcePolicy=text, **more)
        errors = {error["CheckName"] for error in answer["ValidationErrors"]}
        assert answer["PolicyValidationPassed"] == (not errors)
        return errors

    def test_it_finds_broad_access_and_lockout(self, aws: Aws) -> None:
        owner = aws.account()
        secret = owner.secret("s")
        assert self.validate(owner, secret_statement(owner.root_arn), SecretId=secret) == set()
        assert self.validate(owner, EVERYONE, SecretId=secret) == {"PUBLIC_POLICY"}
        lockout = secret_statement("*", "secretsmanager:*", "Deny")
        assert self.validate(owner, lockout, SecretId=secret) == {"CALLER_LOCKOUT"}
        assert read(owner, secret) is None

    def test_it_needs_no_secret(self, aws: Aws) -> None:
        owner = aws.account()
        assert self.validate(owner, secret_statement(owner.root_arn)) == set()
        with refused("MalformedPolicyDocumentException", UNSUPPORTED):
            self.validate(owner, secret_statement(f"arn:aws:iam::{owner.id}:role/nobody"))

    def test_it_needs_the_right_to_put_the_policy(self, aws: Aws) -> None:
        owner = aws.account()
        role = owner.as_role("reader", allow("secretsmanager:ValidateResourcePolicy"))
        with refused("AccessDeniedException", "secretsmanager:PutResourcePolicy"):
            role.secrets.validate_resource_policy(
                SecretId=owner.secret("s"), ResourcePolicy=json.dumps(policy(secret_statement(owner.root_arn)))
            )
