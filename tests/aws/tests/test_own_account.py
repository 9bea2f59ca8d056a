"""Who may use a key in the owner's account (D§1.3, first table)."""

from world import USE, Aws, allow, deny, key_statement, refused


def test_iam_alone_is_powerless_unless_the_key_policy_delegates(aws: Aws) -> None:
    owner = aws.account()
    reader = owner.as_role("reader", allow("kms:*"))
    key = owner.key()
    reader.kms.describe_key(KeyId=key)
    only_admin = key_statement(f"arn:aws:iam::{owner.id}:user/admin", "kms:*")
    owner.put(key, only_admin, owner=False, caller=owner.admin)
    with refused("AccessDeniedException", "because no resource-based policy allows the kms:DescribeKey action"):
        reader.kms.describe_key(KeyId=key)
    owner.admin.kms.describe_key(KeyId=key)


def test_the_key_policy_alone_is_enough_for_a_named_principal(aws: Aws) -> None:
    owner = aws.account()
    role = owner.as_role("reader")
    key = owner.key()
    with refused("AccessDeniedException", "because no identity-based policy allows the kms:DescribeKey action"):
        role.kms.describe_key(KeyId=key)
    owner.put(key, key_statement(f"arn:aws:iam::{owner.id}:role/reader"))
    role.kms.describe_key(KeyId=key)


def test_delegation_to_the_account_needs_an_allow_in_iam(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()
    owner.as_role("allowed", allow("kms:DescribeKey", key)).kms.describe_key(KeyId=key)
    with refused("AccessDeniedException"):
        owner.as_role("other", allow("kms:DescribeKey", owner.key())).kms.describe_key(KeyId=key)


def test_a_boundary_caps_a_named_role_but_not_a_named_user(aws: Aws) -> None:
    owner = aws.account()
    bound = owner.managed("bound", allow("s3:*"))
    role, user = owner.as_role("reader"), owner.user("reader")
    owner.iam.put_role_permissions_boundary(RoleName="reader", PermissionsBoundary=bound)
    owner.iam.put_user_permissions_boundary(UserName="reader", PermissionsBoundary=bound)
    key = owner.key(key_statement([f"arn:aws:iam::{owner.id}:role/reader", f"arn:aws:iam::{owner.id}:user/reader"]))
    with refused("AccessDeniedException", "because no permissions boundary allows the kms:DescribeKey action"):
        role.kms.describe_key(KeyId=key)
    user.kms.describe_key(KeyId=key)


def test_an_explicit_deny_beats_everything(aws: Aws) -> None:
    owner = aws.account()
    denied = owner.as_role("denied", allow("kms:*"), deny("kms:DescribeKey"))
    key = owner.key(key_statement(f"arn:aws:iam::{owner.id}:role/denied"))
    with refused("AccessDeniedException", "with an explicit deny in an identity-based policy"):
        denied.kms.describe_key(KeyId=key)
    other = owner.as_role("other", allow("kms:*"))
    owner.put(key, key_statement(f"arn:aws:iam::{owner.id}:role/other", "kms:Encrypt", "Deny"))
    with refused("AccessDeniedException", "with an explicit deny in a resource-based policy"):
        other.kms.encrypt(KeyId=key, Plaintext=b"x")


def test_the_root_user_is_bound_by_the_key_policy_too(aws: Aws) -> None:
    owner = aws.account()
    admin = owner.admin
    key = owner.key()
    owner.put(key, key_statement(f"arn:aws:iam::{owner.id}:user/admin", "kms:*"), owner=False, caller=admin)
    with refused("AccessDeniedException", "because no resource-based policy allows"):
        owner.kms.describe_key(KeyId=key)


def test_a_statement_without_action_or_resource_is_stored_and_has_no_effect(aws: Aws) -> None:
    owner = aws.account()
    role = owner.as_role("reader")
    reader = f"arn:aws:iam::{owner.id}:role/reader"
    without_action = {"Effect": "Allow", "Principal": {"AWS": reader}, "Resource": "*"}
    without_resource = {"Effect": "Allow", "Principal": {"AWS": reader}, "Action": USE}
    key = owner.key(without_action, without_resource)
    assert len(owner.read(key)["Statement"]) == 3
    with refused("AccessDeniedException"):
        role.kms.describe_key(KeyId=key)


def test_operations_without_a_key_need_iam_alone(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()
    role = owner.as_role("lister", allow("kms:ListKeys"))
    assert [k["KeyArn"] for k in role.kms.list_keys()["Keys"]] == [key]
    with refused("AccessDeniedException", "because no identity-based policy allows the kms:ListAliases action"):
        role.kms.list_aliases()
    with refused("AccessDeniedException"):
        role.kms.create_key()


def test_an_alias_needs_its_action_on_alias_and_key(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()
    alias = f"arn:aws:kms:us-east-1:{owner.id}:alias/mine"
    only_key = owner.as_role("onlykey", allow("kms:CreateAlias", key))
    with refused("AccessDeniedException", alias):
        only_key.kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    both = owner.as_role("both", allow(["kms:CreateAlias", "kms:DeleteAlias"], [key, alias]))
    both.kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    assert owner.kms.describe_key(KeyId="alias/mine")["KeyMetadata"]["Arn"] == key
    both.kms.delete_alias(AliasName="alias/mine")


def test_an_aws_managed_key_is_readable_and_not_writable(aws: Aws) -> None:
    owner = aws.account()
    metadata = owner.kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert metadata["KeyManager"] == "AWS"
    owner.read(metadata["Arn"])
    with refused("AccessDeniedException"):
        owner.put(metadata["Arn"])
    with refused("AccessDeniedException"):
        owner.kms.encrypt(KeyId="alias/aws/s3", Plaintext=b"x")
