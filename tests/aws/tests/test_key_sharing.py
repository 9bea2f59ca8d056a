"""Key policy ∩ identity policies across accounts (D§1.3, D§2.1, D§2.5, D§9)."""

import json

import pytest
from botocore.exceptions import ClientError
from world import USE, Aws, Caller, allow, deny, key_statement, policy, refused

HIDDEN = "because the resource does not exist in this Region, no resource-based policies allow access"


def operations(caller: Caller, key: str) -> None:
    """The five operations of a shared symmetric key."""
    blob = caller.kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert caller.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
    again = caller.kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)
    assert again["SourceKeyId"] == again["KeyId"] == key
    made = caller.kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert caller.kms.decrypt(CiphertextBlob=made["CiphertextBlob"], KeyId=key)["Plaintext"] == made["Plaintext"]
    assert caller.kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_both_halves_together_open_a_foreign_key(aws: Aws, partition: str) -> None:
    owner, partner = aws.account(partition), aws.account(partition)
    key = owner.key()
    role = partner.as_role("reader", allow(USE, key), path="/team/")
    with refused("AccessDeniedException", HIDDEN):
        role.kms.describe_key(KeyId=key)
    owner.put(key, key_statement(f"arn:{partition}:iam::{partner.id}:role/team/reader"))
    operations(role, key)
    owner.put(key)
    with refused("AccessDeniedException", HIDDEN):
        role.kms.describe_key(KeyId=key)


def test_a_user_is_a_principal_too(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key()
    user = partner.user("reader", allow(USE, key))
    owner.put(key, key_statement(f"arn:aws:iam::{partner.id}:user/reader"))
    operations(user, key)


def test_the_key_half_alone_opens_nothing(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    role = partner.as_role("reader")
    key = owner.key(key_statement(f"arn:aws:iam::{partner.id}:role/reader"))
    with refused("AccessDeniedException", "because no identity-based policy allows the kms:Encrypt action"):
        role.kms.encrypt(KeyId=key, Plaintext=b"x")


def test_the_iam_half_alone_opens_nothing(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    role = partner.as_role("reader", allow("kms:*"))
    with refused("AccessDeniedException", HIDDEN):
        role.kms.encrypt(KeyId=owner.key(), Plaintext=b"x")


def test_with_the_account_named_aws_blames_the_resource_policy_for_a_missing_iam_half(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    role = partner.as_role("reader")
    key = owner.key(key_statement(partner.root_arn))
    with refused("AccessDeniedException", "because no resource-based policy allows the kms:Decrypt action"):
        role.kms.decrypt(CiphertextBlob=owner.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"])


def test_the_account_as_principal_delegates_to_its_iam(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn))
    operations(partner.as_role("reader", allow(USE, key)), key)


def test_the_intersection_counts(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn, ["kms:Encrypt", "kms:DescribeKey"]))
    role = partner.as_role("reader", allow(["kms:Decrypt", "kms:Encrypt"], key))
    blob = role.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    with refused("AccessDeniedException", HIDDEN):
        role.kms.decrypt(CiphertextBlob=blob)
    with refused("AccessDeniedException"):
        role.kms.describe_key(KeyId=key)


def test_naming_one_role_does_nothing_for_others(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    partner.role("named", allow(USE))
    other = partner.as_role("other", allow(USE))
    key = owner.key(key_statement(f"arn:aws:iam::{partner.id}:role/named"))
    with refused("AccessDeniedException", HIDDEN):
        other.kms.describe_key(KeyId=key)


def test_one_session_can_be_named(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    role = partner.role("reader", allow(USE))
    key = owner.key(key_statement(f"arn:aws:sts::{partner.id}:assumed-role/reader/this"))
    operations(partner.admin.assume(role, "this"), key)
    with refused("AccessDeniedException", HIDDEN):
        partner.admin.assume(role, "that").kms.describe_key(KeyId=key)


@pytest.mark.parametrize("where", ["key", "identity"])
def test_an_explicit_deny_wins_on_either_side(aws: Aws, where: str) -> None:
    owner, partner = aws.account(), aws.account()
    denials = [deny("kms:Decrypt")] if where == "identity" else []
    role = partner.as_role("reader", allow(USE), *denials)
    reader = f"arn:aws:iam::{partner.id}:role/reader"
    extra = [key_statement("*", "kms:Decrypt", "Deny")] if where == "key" else []
    key = owner.key(key_statement(reader), *extra)
    blob = role.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    text = HIDDEN if where == "key" else "with an explicit deny in an identity-based policy"
    with refused("AccessDeniedException", text):
        role.kms.decrypt(CiphertextBlob=blob)


def test_an_attached_policy_and_a_groups_policy_are_iam_halves(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn))
    attached = partner.managed("use", allow(USE, key))
    role = partner.role("attached")
    partner.iam.attach_role_policy(RoleName="attached", PolicyArn=attached)
    operations(partner.admin.assume(role), key)

    member = partner.user("member")
    partner.iam.create_group(GroupName="readers")
    partner.iam.put_group_policy(GroupName="readers", PolicyName="use", PolicyDocument=json.dumps(allow(USE, key)))
    with refused("AccessDeniedException"):
        member.kms.describe_key(KeyId=key)
    partner.iam.add_user_to_group(GroupName="readers", UserName="member")
    operations(member, key)


def test_only_the_default_version_of_a_managed_policy_counts(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn))
    arn = partner.managed("use", allow(USE, key))
    role = partner.role("reader")
    partner.iam.attach_role_policy(RoleName="reader", PolicyArn=arn)
    caller = partner.admin.assume(role)
    operations(caller, key)
    partner.iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(allow("s3:*")), SetAsDefault=True)
    with refused("AccessDeniedException"):
        caller.kms.describe_key(KeyId=key)
    partner.iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    operations(caller, key)


def test_a_boundary_caps_the_iam_half(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn))
    bound = partner.iam.create_policy(PolicyName="bound", PolicyDocument=json.dumps(allow("kms:Encrypt")))["Policy"][
        "Arn"
    ]
    role = partner.as_role("reader", allow(USE))
    partner.iam.put_role_permissions_boundary(RoleName="reader", PermissionsBoundary=bound)
    blob = role.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    with refused("AccessDeniedException", "because no permissions boundary allows the kms:Decrypt action"):
        role.kms.decrypt(CiphertextBlob=blob)


def test_a_session_policy_caps_the_session(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn))
    role = partner.role("reader", allow(USE))
    capped = partner.admin.assume(role, Policy=json.dumps(allow("kms:Encrypt")))
    capped.kms.encrypt(KeyId=key, Plaintext=b"x")
    with refused("AccessDeniedException", "because no session policy allows the kms:DescribeKey action"):
        capped.kms.describe_key(KeyId=key)


@pytest.mark.parametrize("resource", ["key-id", "alias", "other-key"])
def test_only_the_key_arn_is_an_iam_resource(aws: Aws, resource: str) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn))
    named = {
        "key-id": f"arn:aws:kms:us-east-1:{partner.id}:key/{key.rsplit('/')[-1]}",
        "alias": f"arn:aws:kms:us-east-1:{owner.id}:alias/shared",
        "other-key": owner.key(),
    }[resource]
    owner.kms.create_alias(AliasName="alias/shared", TargetKeyId=key)
    role = partner.as_role("reader", allow(USE, named))
    with refused("AccessDeniedException"):
        role.kms.describe_key(KeyId=f"arn:aws:kms:us-east-1:{owner.id}:alias/shared")


def test_an_alias_arn_works_across_accounts_and_a_bare_alias_or_id_means_ones_own(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn))
    owner.kms.create_alias(AliasName="alias/shared", TargetKeyId=key)
    role = partner.as_role("reader", allow(USE, key))
    operations_by_alias = f"arn:aws:kms:us-east-1:{owner.id}:alias/shared"
    assert role.kms.describe_key(KeyId=operations_by_alias)["KeyMetadata"]["Arn"] == key
    assert role.kms.encrypt(KeyId=operations_by_alias, Plaintext=b"x")["KeyId"] == key
    own = f"arn:aws:kms:us-east-1:{partner.id}"
    with refused("NotFoundException", f"Alias {own}:alias/shared is not found."):
        role.kms.describe_key(KeyId="alias/shared")
    key_id = key.rsplit("/")[-1]
    with refused("NotFoundException", f"Key '{own}:key/{key_id}' does not exist"):
        role.kms.describe_key(KeyId=key_id)
    with refused("NotFoundException", "is not found."):
        role.kms.describe_key(KeyId=f"arn:aws:kms:us-east-1:{owner.id}:alias/other")


def test_a_grant_operation_takes_no_alias_across_accounts(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn, "kms:*"))
    owner.kms.create_alias(AliasName="alias/shared", TargetKeyId=key)
    role = partner.as_role("reader", allow("kms:*"))
    assert role.kms.list_grants(KeyId=key)["Grants"] == []
    with refused("NotFoundException", "Invalid keyId"):
        role.kms.list_grants(KeyId=f"arn:aws:kms:us-east-1:{owner.id}:alias/shared")


def test_a_ciphertext_names_its_key(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn))
    role = partner.as_role("reader", allow(USE))
    blob = owner.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert role.kms.decrypt(CiphertextBlob=blob)["KeyId"] == key
    assert role.kms.decrypt(CiphertextBlob=blob, KeyId=key.rsplit("/")[-1])["Plaintext"] == b"x"
    with refused("IncorrectKeyException"):
        owner.kms.decrypt(CiphertextBlob=blob, KeyId=owner.key())
    with refused("InvalidCiphertextException"):
        owner.kms.decrypt(CiphertextBlob=b"not a ciphertext of KMS")
    with refused("InvalidCiphertextException"):
        owner.kms.decrypt(CiphertextBlob=blob, EncryptionContext={"other": "context"})


def test_re_encrypt_needs_from_on_the_source_and_to_on_the_destination(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    source, target = owner.key(key_statement(partner.root_arn)), partner.key()
    blob = owner.kms.encrypt(KeyId=source, Plaintext=b"x")["CiphertextBlob"]
    mover = partner.as_role("mover", allow("kms:ReEncryptFrom", source), allow("kms:ReEncryptTo", target))
    moved = mover.kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=target)
    assert (moved["SourceKeyId"], moved["KeyId"]) == (source, target)
    assert partner.kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == b"x"

    with refused("AccessDeniedException", "kms:ReEncryptFrom"):
        partner.as_role("onlyto", allow("kms:ReEncryptTo")).kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=target)
    with refused("AccessDeniedException", "kms:ReEncryptTo"):
        partner.as_role("onlyfrom", allow("kms:ReEncryptFrom")).kms.re_encrypt(
            CiphertextBlob=blob, DestinationKeyId=target
        )


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("get_key_policy", {}),
        ("put_key_policy", {"Policy": json.dumps(policy())}),
        ("list_key_policies", {}),
        ("list_resource_tags", {}),
        ("disable_key", {}),
        ("schedule_key_deletion", {}),
        ("tag_resource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
    ],
)
def test_the_owners_operations_are_inert_across_accounts(aws: Aws, operation: str, more: dict) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn, "kms:*"))
    role = partner.as_role("admin-of-both", allow("kms:*"))
    with refused("AccessDeniedException", HIDDEN):
        getattr(role.kms, operation)(KeyId=key, **more)
    assert owner.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


def test_a_key_arn_of_another_region_or_partition_is_not_found(aws: Aws) -> None:
    owner, chinese = aws.account(), aws.account("aws-cn")
    key = owner.key(key_statement("*", "kms:*"))
    elsewhere = Caller(aws, "us-west-2", owner.credentials)
    with refused("NotFoundException", "Invalid arn us-east-1"):
        elsewhere.kms.describe_key(KeyId=key)
    with refused("NotFoundException", "Invalid arn us-east-1"):
        chinese.kms.describe_key(KeyId=key)


def test_a_foreign_key_that_does_not_exist_looks_like_one_that_is_not_shared(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    role = partner.as_role("reader", allow("kms:*"))
    missing = f"arn:aws:kms:us-east-1:{owner.id}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    texts = []
    for key in (missing, owner.key()):
        with pytest.raises(ClientError) as info:
            role.kms.describe_key(KeyId=key)
        texts.append(info.value.response["Error"]["Message"])
    assert texts[0] == texts[1]
