"""IAM calls need identity policies, on the ARN of what they touch (issue 3 §2)."""

import json

from world import Aws, allow, deny, refused, trusting


def test_without_a_policy_nothing_is_allowed(aws: Aws) -> None:
    account = aws.account()
    account.role("target")
    user = account.user("ann")
    text = (
        f"User: arn:aws:iam::{account.id}:user/ann is not authorized to perform: iam:GetRole on resource: "
        f"arn:aws:iam::{account.id}:role/target because no identity-based policy allows the iam:GetRole action"
    )
    with refused("AccessDenied", text, 403):
        user.iam.get_role(RoleName="target")


def test_the_resource_is_the_roles_arn_with_its_path(aws: Aws) -> None:
    account = aws.account()
    account.role("in", path="/team/")
    account.role("out")
    role = account.as_role("operator", allow(["iam:GetRole", "iam:PutRolePolicy"], "arn:aws:iam::*:role/team/*"))
    role.iam.get_role(RoleName="in")
    role.iam.put_role_policy(RoleName="in", PolicyName="p", PolicyDocument=json.dumps(allow("kms:Decrypt")))
    for call in (
        lambda: role.iam.get_role(RoleName="out"),
        lambda: role.iam.get_role(RoleName="missing"),
        lambda: role.iam.put_role_policy(
            RoleName="out", PolicyName="p", PolicyDocument=json.dumps(allow("kms:Decrypt"))
        ),
        lambda: role.iam.delete_role(RoleName="in"),
    ):
        with refused("AccessDenied"):
            call()


def test_users_policies_and_accounts_are_resources_too(aws: Aws) -> None:
    account = aws.account()
    account.user("ann")
    prefix = f"arn:aws:iam::{account.id}"
    role = account.as_role(
        "operator",
        allow("iam:GetUser", f"{prefix}:user/ann"),
        allow(["iam:CreatePolicy", "iam:GetPolicy"], f"{prefix}:policy/ours/*"),
        allow("iam:GetAccountSummary"),
    )
    role.iam.get_user(UserName="ann")
    document = json.dumps(allow("kms:Decrypt"))
    arn = role.iam.create_policy(PolicyName="p", Path="/ours/", PolicyDocument=document)["Policy"]["Arn"]
    role.iam.get_policy(PolicyArn=arn)
    role.iam.get_account_summary()
    with refused("AccessDenied", f"{prefix}:policy/p"):
        role.iam.create_policy(PolicyName="p", PolicyDocument=document)
    with refused("AccessDenied", "on resource: *"):
        role.iam.list_roles()


def test_conditions_on_the_attached_policy_and_on_the_boundary(aws: Aws) -> None:
    account = aws.account()
    document = json.dumps(allow("kms:Decrypt"))
    good = account.iam.create_policy(PolicyName="good", PolicyDocument=document)["Policy"]["Arn"]
    other = account.iam.create_policy(PolicyName="other", PolicyDocument=document)["Policy"]["Arn"]
    account.role("bounded", PermissionsBoundary=good)
    account.role("free")
    role = account.as_role(
        "operator",
        allow("iam:AttachRolePolicy", Condition={"ArnEquals": {"iam:PolicyARN": good}}),
        allow("iam:PutRolePolicy", Condition={"StringEquals": {"iam:PermissionsBoundary": good}}),
    )
    role.iam.attach_role_policy(RoleName="free", PolicyArn=good)
    with refused("AccessDenied"):
        role.iam.attach_role_policy(RoleName="free", PolicyArn=other)
    role.iam.put_role_policy(RoleName="bounded", PolicyName="p", PolicyDocument=document)
    with refused("AccessDenied"):
        role.iam.put_role_policy(RoleName="free", PolicyName="p", PolicyDocument=document)


def test_an_explicit_deny_is_named(aws: Aws) -> None:
    account = aws.account()
    role = account.as_role("operator", allow("iam:*"), deny("iam:ListRoles"))
    with refused("AccessDenied", "with an explicit deny in an identity-based policy"):
        role.iam.list_roles()


def test_a_callers_iam_is_that_of_its_own_account(aws: Aws) -> None:
    account, other = aws.account(), aws.account()
    other.role("theirs")
    with refused("NoSuchEntity"):
        account.iam.get_role(RoleName="theirs")
    arn = other.role("entry", allow("iam:GetRole"), trust=trusting(account.root_arn))
    account.admin.assume(arn).iam.get_role(RoleName="theirs")
