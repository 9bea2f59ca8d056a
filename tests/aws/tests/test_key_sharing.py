"""Key policy ∩ identity policies (D§1.3), in one account and across two."""

import pytest
from world import USE, Account, Aws, Caller, allow, deny, key_statement, policy, refused


def operations(caller: Caller, key: str) -> None:
    """The five operations of a shared symmetric key."""
    blob = caller.kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert caller.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
    again = caller.kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)
    assert again["SourceKeyId"] == again["KeyId"] == key
    data_key = caller.kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert caller.kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"], KeyId=key)["Plaintext"] == data_key["Plaintext"]
    assert caller.kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_both_halves_together_open_a_foreign_key(aws: Aws, partition: str) -> None:
    owner, partner = aws.account(partition), aws.account(partition)
    key = owner.key()
    role = partner.as_role("reader", allow(USE, key), path="/team/")
    owner.put(key, key_statement(f"arn:{partition}:iam::{partner.id}:role/team/reader"))
    operations(role, key)


def test_the_key_half_alone_opens_nothing_across_accounts(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    role = partner.as_role("reader")
    key = owner.key(key_statement(f"arn:aws:iam::{partner.id}:role/reader"))
    with refused("AccessDeniedException", "because no identity-based policy allows the kms:Encrypt action"):
        role.kms.encrypt(KeyId=key, Plaintext=b"x")
