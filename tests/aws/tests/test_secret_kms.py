"""Secrets Manager calls KMS with its caller's identity (D§5.2, D§5.3)."""

import pytest
from world import Account, Aws, Caller, allow, key_statement, refused

NO_KMS = "Access to KMS is not allowed"
WRITE = ["secretsmanager:CreateSecret", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret"]


def writer(owner: Account, *actions: str) -> Caller:
    return owner.as_role("writer", allow("secretsmanager:*"), *([allow(list(actions))] if actions else []))


@pytest.mark.parametrize("actions", [(), ("kms:GenerateDataKey",), ("kms:Decrypt",)])
def test_a_writer_needs_both_generate_data_key_and_decrypt(aws: Aws, actions: tuple[str, ...]) -> None:
    owner = aws.account()
    key = owner.key()
    secret = owner.secret("s", KmsKeyId=key)
    role = writer(owner, *actions)
    with refused("AccessDeniedException", NO_KMS):
        role.secrets.create_secret(Name="t", KmsKeyId=key)
    with refused("ResourceNotFoundException"):
        owner.secrets.describe_secret(SecretId="t")
    with refused("AccessDeniedException", NO_KMS):
        role.secrets.put_secret_value(SecretId=secret, SecretString="new")
    with refused("AccessDeniedException", NO_KMS):
        role.secrets.update_secret(SecretId=secret, SecretString="new")
    assert owner.value(secret) == "s3cret"


def test_with_both_a_writer_writes_and_only_decrypt_reads(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()
    role = writer(owner, "kms:GenerateDataKey", "kms:Decrypt")
    secret = role.secrets.create_secret(Name="s", SecretString="one", KmsKeyId=key)["ARN"]
    role.secrets.put_secret_value(SecretId=secret, SecretString="two")
    reader = owner.as_role("reader", allow("secretsmanager:GetSecretValue"), allow("kms:Decrypt"))
    assert reader.value(secret) == "two"
    keyless = owner.as_role("keyless", allow("secretsmanager:*"))
    with refused("AccessDeniedException", NO_KMS):
        keyless.value(secret)
    keyless.secrets.update_secret(SecretId=secret, Description="needs no key")


def test_a_secret_in_an_external_account_stands_under_the_owners_key(aws: Aws) -> None:
    owner, external = aws.account("aws-cn"), aws.account("aws-cn")
    key = owner.key()
    role = external.as_role("writer", allow("secretsmanager:*"), allow(["kms:GenerateDataKey", "kms:Decrypt"], key))
    with refused("AccessDeniedException", NO_KMS):
        role.secrets.create_secret(Name="s", SecretString="v", KmsKeyId=key)
    owner.put(key, key_statement(f"arn:aws-cn:iam::{external.id}:role/writer", ["kms:GenerateDataKey", "kms:Decrypt"]))
    role.secrets.create_secret(Name="s", SecretString="v", KmsKeyId=key)
    assert role.value("s") == "v"
    assert role.secrets.describe_secret(SecretId="s")["KmsKeyId"] == key


@pytest.mark.parametrize("partition", ["aws", "aws-cn"])
def test_kms_sees_the_service_the_account_and_the_context(aws: Aws, partition: str) -> None:
    owner = aws.account(partition)
    role = owner.as_role("writer", allow("secretsmanager:*"))
    principal = f"arn:{partition}:iam::{owner.id}:role/writer"
    condition = {
        "StringEquals": {
            "kms:ViaService": f"secretsmanager.{owner.region}.amazonaws.com",
            "kms:CallerAccount": owner.id,
        },
        "StringLike": {
            "kms:EncryptionContext:SecretARN": f"arn:{partition}:secretsmanager:{owner.region}:{owner.id}:secret:a/*",
        },
    }
    key = owner.key(key_statement(principal, ["kms:GenerateDataKey", "kms:Decrypt"], Condition=condition))
    role.secrets.create_secret(Name="a/s", SecretString="v", KmsKeyId=key)
    assert role.value("a/s") == "v"
    with refused("AccessDeniedException", NO_KMS):
        role.secrets.create_secret(Name="b/s", SecretString="v", KmsKeyId=key)
    with refused("AccessDeniedException"):
        role.kms.generate_data_key(KeyId=key, KeySpec="AES_256")


def test_a_condition_on_the_version_must_let_the_validation_through(aws: Aws) -> None:
    owner = aws.account()
    role = owner.as_role("writer", allow("secretsmanager:*"))
    principal, token = f"arn:aws:iam::{owner.id}:role/writer", "v" * 32

    def only(*versions: str) -> dict:
        condition = {"StringEquals": {"kms:EncryptionContext:SecretVersionId": list(versions)}}
        return key_statement(principal, ["kms:GenerateDataKey", "kms:Decrypt"], Condition=condition)

    key = owner.key(only(token))
    values = {"SecretString": "v", "KmsKeyId": key, "ClientRequestToken": token}
    with refused("AccessDeniedException", NO_KMS):
        role.secrets.create_secret(Name="s", **values)
    owner.put(key, only(token, "RequestToValidateKeyAccess"))
    role.secrets.create_secret(Name="s", **values)
    assert role.value("s") == "v"


def test_a_secret_without_a_value_validates_its_key_all_the_same(aws: Aws) -> None:
    owner = aws.account()
    role = writer(owner)
    with refused("AccessDeniedException", NO_KMS):
        role.secrets.create_secret(Name="s", KmsKeyId=owner.key())


def test_an_id_or_alias_means_the_callers_account_and_is_echoed_as_given(aws: Aws) -> None:
    owner, external = aws.account(), aws.account()
    key = owner.key(key_statement(external.root_arn))
    key_id = key.rpartition("/")[2]
    owner.kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    for number, given in enumerate([key, key_id, "alias/mine", f"arn:aws:kms:us-east-1:{owner.id}:alias/mine"]):
        owner.secrets.create_secret(Name=f"s{number}", SecretString="v", KmsKeyId=given)
        assert owner.secrets.describe_secret(SecretId=f"s{number}")["KmsKeyId"] == given
        version = owner.secrets.list_secret_version_ids(SecretId=f"s{number}")["Versions"][0]
        assert version["KmsKeyIds"] == [key]
    for given in (key_id, "alias/mine"):
        with refused("EncryptionFailure"):
            external.secrets.create_secret(Name="s", SecretString="v", KmsKeyId=given)
    external.secrets.create_secret(Name="s", SecretString="v", KmsKeyId=key)


def test_the_default_key_is_not_told(aws: Aws) -> None:
    owner = aws.account()
    role = owner.as_role("writer", allow("secretsmanager:*"))
    role.secrets.create_secret(Name="s", SecretString="v")
    role.secrets.create_secret(Name="t", SecretString="v", KmsKeyId="alias/aws/secretsmanager")
    for name in ("s", "t"):
        assert "KmsKeyId" not in role.secrets.describe_secret(SecretId=name)
        assert role.value(name) == "v"
    assert role.secrets.list_secret_version_ids(SecretId="s")["Versions"][0]["KmsKeyIds"] == ["DefaultEncryptionKey"]


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion", "PendingImport"])
def test_a_key_that_cannot_be_used_fails_reads_and_writes(aws: Aws, state: str) -> None:
    owner = aws.account()
    key = owner.key()
    secret = owner.secret("s", KmsKeyId=key)
    aws.admin("POST", "keys/state", arn=key, state=state)
    with refused("DecryptionFailure"):
        owner.value(secret)
    with refused("EncryptionFailure"):
        owner.secrets.put_secret_value(SecretId=secret, SecretString="new")
    owner.secrets.describe_secret(SecretId=secret)
    owner.secrets.update_secret(SecretId=secret, Description="metadata needs no key")
    aws.admin("POST", "keys/state", arn=key, state="Enabled")
    assert owner.value(secret) == "s3cret"


@pytest.mark.parametrize(
    "more",
    [
        {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    ],
)
def test_only_a_symmetric_key_will_do(aws: Aws, more: dict) -> None:
    owner = aws.account()
    with refused("EncryptionFailure"):
        owner.secret("s", KmsKeyId=owner.key(**more))
