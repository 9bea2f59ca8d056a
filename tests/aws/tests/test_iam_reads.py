"""IAM's reads: encoding, pages, what is not there; and what must go before something goes (D§4.2, D§4.3)."""

import json
from urllib.parse import unquote
from urllib.request import Request, urlopen

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from conftest import started
from world import Account, Aws, allow, policy, refused

DOCUMENT = allow("kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/a+b", Sid="S")


def raw(aws: Aws, account: Account, form: str) -> str:
    """The answer as it is on the wire; boto3 decodes documents by itself."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", f"{aws.url}/", headers, f"{form}&Version=2010-05-08")
    SigV4Auth(BotoCredentials(account.credentials.key, account.credentials.secret), "iam", "us-east-1").add_auth(
        request
    )
    with urlopen(Request(f"{aws.url}/", request.body, dict(request.headers)), timeout=10) as response:
        return response.read().decode()


class TestEncoding:
    def test_documents_are_url_encoded_by_rfc_3986(self, aws: Aws) -> None:
        account = aws.account()
        text = json.dumps(DOCUMENT)
        account.role("r", DOCUMENT)
        answer = raw(aws, account, "Action=GetRolePolicy&RoleName=r&PolicyName=p0")
        encoded = answer.split("<PolicyDocument>")[1].split("</PolicyDocument>")[0]
        assert unquote(encoded) == text
        assert not set(encoded) & set(' {}":/+*')
        assert "%20" in encoded
        assert "%2F" in encoded

    @pytest.mark.parametrize(
        "form",
        [
            "Action=GetRole&RoleName=r",
            "Action=ListRoles",
            "Action=GetPolicyVersion&PolicyArn={arn}&VersionId=v1",
            "Action=GetAccountAuthorizationDetails",
        ],
    )
    def test_so_are_all_others(self, aws: Aws, form: str) -> None:
        account = aws.account()
        account.role("r", DOCUMENT)
        arn = account.managed("p", DOCUMENT)
        answer = raw(aws, account, form.format(arn=arn))
        assert "%22Statement%22" in answer
        assert '"Statement"' not in answer

    def test_boto3_reads_back_what_was_put(self, aws: Aws) -> None:
        account = aws.account()
        account.role("r", DOCUMENT)
        assert account.iam.get_role_policy(RoleName="r", PolicyName="p0")["PolicyDocument"] == DOCUMENT
        details = account.iam.get_account_authorization_details()
        assert details["RoleDetailList"][0]["RolePolicyList"][0]["PolicyDocument"] == DOCUMENT


class TestPages:
    def test_a_list_comes_in_pages_of_the_size_asked_for(self, aws: Aws) -> None:
        account = aws.account()
        for number in range(5):
            account.role(f"r{number}")
        first = account.iam.list_roles(MaxItems=2)
        assert (len(first["Roles"]), first["IsTruncated"]) == (2, True)
        last = account.iam.list_roles(MaxItems=3, Marker=first["Marker"])
        assert (len(last["Roles"]), last["IsTruncated"], "Marker" in last) == (3, False, False)
        names = {role["RoleName"] for page in (first, last) for role in page["Roles"]}
        assert names == {f"r{number}" for number in range(5)}

    def test_a_page_may_hold_fewer_than_asked_for(self, tmp_path) -> None:
        process, port = started(tmp_path, "--small-pages")
        try:
            account = Aws(port).account()
            account.role("r", *[DOCUMENT] * 5)
            document = json.dumps(DOCUMENT)
            for number in range(3):
                arn = account.iam.create_policy(PolicyName=f"m{number}", PolicyDocument=document)["Policy"]["Arn"]
                account.iam.attach_role_policy(RoleName="r", PolicyArn=arn)
            assert len(account.iam.list_role_policies(RoleName="r", MaxItems=100)["PolicyNames"]) == 2
            for operation, key, total in (
                ("list_role_policies", "PolicyNames", 5),
                ("list_attached_role_policies", "AttachedPolicies", 3),
            ):
                pages = list(account.iam.get_paginator(operation).paginate(RoleName="r"))
                assert [len(page[key]) for page in pages] == [2] * (total // 2) + [1]
                assert [page["IsTruncated"] for page in pages] == [True] * (total // 2) + [False]
            details = account.iam.get_paginator("get_account_authorization_details").paginate()
            lists = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
            assert sum(len(page[name]) for page in details for name in lists) == 4
        finally:
            process.stdin.close()
            process.wait(10)

    def test_a_marker_or_size_out_of_form_is_refused(self, aws: Aws) -> None:
        account = aws.account()
        with refused("ValidationError"):
            account.iam.list_roles(Marker="!")
        with refused("ValidationError"):
            account.iam.list_roles(MaxItems=1001)


def test_what_is_not_there_is_named(aws: Aws) -> None:
    account = aws.account()
    account.role("r")
    account.user("u")
    missing_policy = f"arn:aws:iam::{account.id}:policy/missing"
    iam = account.iam
    for call, text in (
        (lambda: iam.get_role(RoleName="no"), "The role with name no cannot be found."),
        (lambda: iam.get_user(UserName="no"), "The user with name no cannot be found."),
        (lambda: iam.get_role_policy(RoleName="r", PolicyName="no"), "The role policy with name no cannot be found."),
        (
            lambda: iam.delete_user_policy(UserName="u", PolicyName="no"),
            "The user policy with name no cannot be found.",
        ),
        (lambda: iam.get_policy(PolicyArn=missing_policy), f"Policy {missing_policy} was not found."),
        (lambda: iam.attach_role_policy(RoleName="r", PolicyArn=missing_policy), "is not attachable."),
        (lambda: iam.detach_role_policy(RoleName="r", PolicyArn=missing_policy), "was not found."),
        (lambda: iam.put_role_policy(RoleName="R", PolicyName="p", PolicyDocument="{}"), "The role with name R"),
    ):
        with refused("NoSuchEntity", text, 404):
            call()


def test_what_is_in_use_does_not_go(aws: Aws) -> None:
    account = aws.account()
    iam = account.iam
    account.role("r", DOCUMENT)
    arn = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(DOCUMENT))["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(policy(*DOCUMENT["Statement"])))
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    for call in (
        lambda: iam.delete_role(RoleName="r"),
        lambda: iam.delete_policy(PolicyArn=arn),
        lambda: iam.delete_policy_version(PolicyArn=arn, VersionId="v1"),
    ):
        with refused("DeleteConflict", status=409):
            call()
    iam.delete_role_policy(RoleName="r", PolicyName="p0")
    with refused("DeleteConflict"):
        iam.delete_role(RoleName="r")
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    iam.delete_role(RoleName="r")
    with refused("DeleteConflict", "more than one version"):
        iam.delete_policy(PolicyArn=arn)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)


def test_a_policy_that_bounds_somebody_does_not_go(aws: Aws) -> None:
    account = aws.account()
    arn = account.managed("p", DOCUMENT)
    account.role("r", PermissionsBoundary=arn)
    boundary = account.iam.get_role(RoleName="r")["Role"]["PermissionsBoundary"]
    assert boundary["PermissionsBoundaryArn"] == arn
    with refused("DeleteConflict"):
        account.iam.delete_policy(PolicyArn=arn)


def test_a_user_with_keys_or_groups_does_not_go(aws: Aws) -> None:
    account = aws.account()
    user = account.user("u")
    account.iam.create_group(GroupName="g")
    account.iam.add_user_to_group(GroupName="g", UserName="u")
    with refused("DeleteConflict", "access keys"):
        account.iam.delete_user(UserName="u")
    account.iam.delete_access_key(UserName="u", AccessKeyId=user.credentials.key)
    with refused("DeleteConflict", "group"):
        account.iam.delete_user(UserName="u")
    with refused("DeleteConflict"):
        account.iam.delete_group(GroupName="g")
    account.iam.remove_user_from_group(GroupName="g", UserName="u")
    account.iam.delete_user(UserName="u")
    account.iam.delete_group(GroupName="g")


def test_a_users_boundary_can_be_read(aws: Aws) -> None:
    account = aws.account()
    arn = account.managed("p", DOCUMENT)
    account.user("u")
    assert "PermissionsBoundary" not in account.iam.get_user(UserName="u")["User"]
    account.iam.put_user_permissions_boundary(UserName="u", PermissionsBoundary=arn)
    assert account.iam.get_user(UserName="u")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    account.iam.delete_user_permissions_boundary(UserName="u")
    assert "PermissionsBoundary" not in account.iam.get_user(UserName="u")["User"]


def test_an_operation_that_is_not_served_says_so(aws: Aws) -> None:
    with refused("InvalidAction"):
        aws.account().iam.simulate_principal_policy(
            PolicySourceArn="arn:aws:iam::1:role/r", ActionNames=["kms:Decrypt"]
        )


def test_a_boundary_must_exist(aws: Aws) -> None:
    account = aws.account()
    account.role("r")
    missing = f"arn:aws:iam::{account.id}:policy/missing"
    with refused("NoSuchEntity", missing):
        account.iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=missing)
    with refused("NoSuchEntity", missing):
        account.role("other", PermissionsBoundary=missing)
