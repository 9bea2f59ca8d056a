"""UpdateSecret with another key (D§5.4)."""

from world import Account, Aws, Caller, allow, key_statement, refused, secret_statement


def keys_by_label(caller: Caller, secret: str) -> dict[str, list[str]]:
    versions = caller.secrets.list_secret_version_ids(SecretId=secret, IncludeDeprecated=True)["Versions"]
    return {",".join(sorted(v.get("VersionStages", ["none"]))): v["KmsKeyIds"] for v in versions}


def with_four_versions(owner: Account, key: str) -> str:
    """One deprecated, and one for each of the labels that follow the key."""
    secret = owner.secret("s", KmsKeyId=key, value="one")
    owner.secrets.put_secret_value(SecretId=secret, SecretString="two")
    owner.secrets.put_secret_value(SecretId=secret, SecretString="three")
    owner.secrets.put_secret_value(SecretId=secret, SecretString="four", VersionStages=["AWSPENDING"])
    return secret


def test_labelled_versions_move_and_others_stay(aws: Aws) -> None:
    owner = aws.account()
    old, new = owner.key(), owner.key()
    secret = with_four_versions(owner, old)
    owner.secrets.update_secret(SecretId=secret, KmsKeyId=new)
    assert keys_by_label(owner, secret) == {
        "none": [old],
        "AWSPREVIOUS": [new],
        "AWSCURRENT": [new],
        "AWSPENDING": [new],
    }
    aws.admin("POST", "keys/state", arn=old, state="Disabled")
    assert owner.value(secret) == "three"
    assert owner.secrets.describe_secret(SecretId=secret)["KmsKeyId"] == new


def test_without_encrypt_the_call_succeeds_and_the_versions_silently_stay(aws: Aws) -> None:
    owner = aws.account()
    old, new = owner.key(), owner.key()
    secret = with_four_versions(owner, old)
    role = owner.as_role("writer", allow("secretsmanager:*"), allow(["kms:GenerateDataKey", "kms:Decrypt"]))
    role.secrets.update_secret(SecretId=secret, KmsKeyId=new)
    assert owner.secrets.describe_secret(SecretId=secret)["KmsKeyId"] == new
    assert set(map(tuple, keys_by_label(owner, secret).values())) == {(old,)}
    assert owner.value(secret) == "three"

    role.secrets.put_secret_value(SecretId=secret, SecretString="five")
    assert keys_by_label(owner, secret)["AWSCURRENT"] == [new]
    aws.admin("POST", "keys/state", arn=old, state="Disabled")
    assert role.value(secret) == "five"
    with refused("DecryptionFailure"):
        role.secrets.get_secret_value(SecretId=secret, VersionStage="AWSPREVIOUS")


def test_the_same_update_with_encrypt_brings_them_after(aws: Aws) -> None:
    owner = aws.account()
    old, new = owner.key(), owner.key()
    secret = owner.secret("s", KmsKeyId=old)
    role = owner.as_role("writer", allow("secretsmanager:*"), allow(["kms:GenerateDataKey", "kms:Decrypt"]))
    role.secrets.update_secret(SecretId=secret, KmsKeyId=new)
    owner.secrets.update_secret(SecretId=secret, KmsKeyId=new)
    assert keys_by_label(owner, secret) == {"AWSCURRENT": [new]}


def test_a_new_key_that_the_caller_may_not_use_is_refused_and_changes_nothing(aws: Aws) -> None:
    owner = aws.account()
    old, new = owner.key(), owner.key()
    secret = owner.secret("s", KmsKeyId=old)
    role = owner.as_role("writer", allow("secretsmanager:*"), allow("kms:*", old))
    with refused("AccessDeniedException", "Access to KMS is not allowed"):
        role.secrets.update_secret(SecretId=secret, KmsKeyId=new, Description="new")
    described = owner.secrets.describe_secret(SecretId=secret)
    assert described["KmsKeyId"] == old
    assert "Description" not in described


def test_versions_stay_behind_an_old_key_that_is_gone(aws: Aws) -> None:
    owner = aws.account()
    old, new = owner.key(), owner.key()
    secret = owner.secret("s", KmsKeyId=old)
    aws.admin("POST", "keys/state", arn=old, state="PendingDeletion")
    owner.secrets.update_secret(SecretId=secret, KmsKeyId=new)
    assert keys_by_label(owner, secret) == {"AWSCURRENT": [old]}


def test_an_empty_key_is_the_default_key_and_for_the_own_account_only(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn))
    secret = owner.secret("s", KmsKeyId=key)
    with refused("AccessDeniedException"):
        partner.secrets.update_secret(SecretId=secret, KmsKeyId="")
    owner.share(secret, secret_statement(partner.root_arn, "secretsmanager:*"))
    with refused("InvalidRequestException", "default KMS"):
        partner.secrets.update_secret(SecretId=secret, KmsKeyId="")
    owner.secrets.update_secret(SecretId=secret, KmsKeyId="")
    assert "KmsKeyId" not in owner.secrets.describe_secret(SecretId=secret)
    assert keys_by_label(owner, secret) == {"AWSCURRENT": ["DefaultEncryptionKey"]}
    with refused("InvalidRequestException", "default KMS"):
        partner.secrets.put_secret_value(SecretId=secret, SecretString="new")


def test_value_and_key_change_in_one_call(aws: Aws) -> None:
    owner = aws.account()
    old, new = owner.key(), owner.key()
    secret = owner.secret("s", KmsKeyId=old)
    owner.secrets.update_secret(SecretId=secret, KmsKeyId=new, SecretString="new")
    assert keys_by_label(owner, secret) == {"AWSCURRENT": [new], "AWSPREVIOUS": [new]}
    assert owner.value(secret) == "new"
