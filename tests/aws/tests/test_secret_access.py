"""Identity policies, the secret's policy and the key, in one account and across accounts (D§5.1, D§9)."""

import pytest
from world import READ, Account, Aws, Caller, allow, deny, key_statement, refused, secret_statement

MISSING = "because no resource-based policy allows the secretsmanager:GetSecretValue action"
NO_KMS = "Access to KMS is not allowed"
DEFAULT_KEY = "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS"


def shared(aws: Aws, partition: str = "aws") -> tuple[Account, Account, str, str, Caller]:
    """An owner's secret under the owner's key, and a role of a partner, each half missing but the identity policies."""
    owner, partner = aws.account(partition), aws.account(partition)
    key = owner.key()
    secret = owner.secret("team/db", KmsKeyId=key)
    role = partner.as_role("reader", allow(READ, secret), allow("kms:Decrypt", key))
    return owner, partner, key, secret, role


def reader_of(account: Account) -> str:
    return f"arn:{account.partition}:iam::{account.id}:role/reader"


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_three_halves_together_open_a_secret_of_another_account(aws: Aws, partition: str) -> None:
    owner, partner, key, secret, role = shared(aws, partition)
    with refused("AccessDeniedException", MISSING):
        role.value(secret)
    owner.share(secret, secret_statement(reader_of(partner)))
    with refused("AccessDeniedException", NO_KMS):
        role.value(secret)
    owner.put(key, key_statement(reader_of(partner), "kms:Decrypt"))
    assert role.value(secret) == "s3cret"
    owner.secrets.delete_resource_policy(SecretId=secret)
    with refused("AccessDeniedException", MISSING):
        role.value(secret)


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        ("p0", "because no identity-based policy allows the secretsmanager:GetSecretValue action"),
        ("p1", NO_KMS),
    ],
)
def test_either_identity_half_alone_is_missed(aws: Aws, missing: str, text: str) -> None:
    owner, partner, key, secret, role = shared(aws)
    owner.share(secret, secret_statement(reader_of(partner)))
    owner.put(key, key_statement(reader_of(partner), "kms:Decrypt"))
    partner.iam.delete_role_policy(RoleName="reader", PolicyName=missing)
    with refused("AccessDeniedException", text):
        role.value(secret)


def test_with_the_account_named_aws_blames_the_resource_policy_for_a_missing_identity_policy(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    secret = owner.secret("s", secret_statement(partner.root_arn), KmsKeyId=owner.key())
    with refused("AccessDeniedException", MISSING):
        partner.as_role("reader").value(secret)


def test_a_secret_under_the_default_key_cannot_be_read_from_another_account(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    secret = owner.secret("s", secret_statement(partner.root_arn))
    role = partner.as_role("reader", allow("secretsmanager:*"), allow("kms:*"))
    assert role.secrets.describe_secret(SecretId=secret)["Name"] == "s"
    with refused("InvalidRequestException", DEFAULT_KEY):
        role.value(secret)
    assert owner.value(secret) == "s3cret"


def test_a_name_means_the_callers_own_account(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    owner.secret("s", secret_statement(partner.root_arn), KmsKeyId=owner.key())
    with refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret."):
        partner.value("s")


def test_across_accounts_only_the_whole_arn_is_known(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    secret = owner.secret("s", secret_statement(partner.root_arn), KmsKeyId=owner.key(key_statement(partner.root_arn)))
    assert partner.value(secret) == "s3cret"
    with refused("AccessDeniedException", MISSING):
        partner.value(secret[:-7])
    assert owner.value(secret[:-7]) == "s3cret"


def test_another_regions_secret_is_not_found_by_its_arn(aws: Aws) -> None:
    owner = aws.account()
    secret = owner.secret("s")
    with refused("ResourceNotFoundException"):
        owner.within("eu-west-1").value(secret)


def test_in_one_account_either_side_allows(aws: Aws) -> None:
    owner = aws.account()
    secret = owner.secret("s")
    by_identity = owner.as_role("identity", allow(READ, secret))
    by_policy = owner.as_role("reader")
    assert by_identity.value(secret) == "s3cret"
    with refused("AccessDeniedException", "because no identity-based policy allows the secretsmanager:GetSecretValue"):
        by_policy.value(secret)
    owner.share(secret, secret_statement(reader_of(owner)))
    assert by_policy.value(secret) == "s3cret"


def test_an_explicit_deny_wins_on_either_side(aws: Aws) -> None:
    owner = aws.account()
    secret = owner.secret("s")
    denied = owner.as_role("denied", allow("*"), deny("secretsmanager:GetSecretValue"))
    with refused("AccessDeniedException", "with an explicit deny in an identity-based policy"):
        denied.value(secret)
    owner.share(secret, secret_statement("*", READ, "Deny"))
    with refused("AccessDeniedException", "with an explicit deny in a resource-based policy"):
        owner.value(secret)


def test_a_named_role_is_capped_by_its_boundary(aws: Aws) -> None:
    owner = aws.account()
    role = owner.as_role("reader")
    bound = owner.managed("bound", allow("s3:*"))
    owner.iam.put_role_permissions_boundary(RoleName="reader", PermissionsBoundary=bound)
    secret = owner.secret("s", secret_statement(reader_of(owner)))
    with refused("AccessDeniedException"):
        role.value(secret)


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"secretsmanager:ResourceTag/team": "a"}},
        {"StringEquals": {"aws:ResourceTag/team": "a"}},
        {"StringLike": {"secretsmanager:SecretId": "*:secret:tagged-*"}},
    ],
)
def test_conditions_on_the_secret_hold(aws: Aws, condition: dict) -> None:
    owner = aws.account()
    tagged = owner.secret("tagged", Tags=[{"Key": "team", "Value": "a"}])
    other = owner.secret("other", Tags=[{"Key": "team", "Value": "b"}])
    role = owner.as_role("reader", allow(READ, Condition=condition))
    assert role.value(tagged) == "s3cret"
    with refused("AccessDeniedException"):
        role.value(other)


def test_conditions_on_creation_hold(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()
    role = owner.as_role(
        "writer",
        allow(
            "secretsmanager:CreateSecret",
            Condition={"StringEquals": {"secretsmanager:KmsKeyArn": key}, "StringLike": {"secretsmanager:Name": "a/*"}},
        ),
        allow("kms:*"),
    )
    role.secrets.create_secret(Name="a/x", KmsKeyId=key)
    with refused("AccessDeniedException", "secretsmanager:CreateSecret"):
        role.secrets.create_secret(Name="a/y")
    with refused("AccessDeniedException", "secretsmanager:CreateSecret"):
        role.secrets.create_secret(Name="b/x", KmsKeyId=key)


def test_tags_and_replicas_of_a_new_secret_need_their_own_actions(aws: Aws) -> None:
    owner = aws.account()
    role = owner.as_role("writer", allow("secretsmanager:CreateSecret"))
    with refused("AccessDeniedException", "secretsmanager:TagResource"):
        role.secrets.create_secret(Name="s", Tags=[{"Key": "a", "Value": "b"}])
    with refused("AccessDeniedException", "secretsmanager:ReplicateSecretToRegions"):
        role.secrets.create_secret(Name="s", AddReplicaRegions=[{"Region": "eu-west-1"}])


def test_who_may_not_ask_does_not_learn_whether_a_secret_exists(aws: Aws) -> None:
    owner = aws.account()
    scoped = owner.as_role("scoped", allow("secretsmanager:DescribeSecret", "arn:aws:secretsmanager:*:*:secret:mine-*"))
    with refused("ResourceNotFoundException"):
        scoped.secrets.describe_secret(SecretId="mine")
    with refused("AccessDeniedException", "on resource: theirs because no identity-based policy"):
        scoped.secrets.describe_secret(SecretId="theirs")


def test_lists_and_new_secrets_stay_in_the_callers_account(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    owner.secret("s", secret_statement(partner.root_arn, "secretsmanager:*"), KmsKeyId=owner.key())
    assert partner.secrets.list_secrets()["SecretList"] == []
    role = owner.as_role("nobody")
    with refused("AccessDeniedException", "secretsmanager:ListSecrets"):
        role.secrets.list_secrets()


def test_a_recreated_role_is_somebody_else(aws: Aws) -> None:
    owner = aws.account()
    owner.role("reader")
    secret = owner.secret("s", secret_statement(reader_of(owner)))
    owner.iam.delete_role(RoleName="reader")
    with refused("AccessDeniedException"):
        owner.as_role("reader").value(secret)
