"""Who is calling: access keys, sessions, signatures, partitions (D§6.4, D§7)."""

from dataclasses import replace

import pytest
from world import Account, Aws, Caller, Credentials, allow, deny, refused


def whoami(caller: Caller) -> str:
    return caller.sts.get_caller_identity()["Arn"]


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_everybody_is_who_the_access_key_says(aws: Aws, partition: str) -> None:
    account = aws.account(partition)
    assert whoami(account) == f"arn:{partition}:iam::{account.id}:root"
    user = account.user("ann", path="/team/")
    assert whoami(user) == f"arn:{partition}:iam::{account.id}:user/team/ann"
    role = account.admin.assume(account.role("reader", path="/team/"), "me")
    identity = role.sts.get_caller_identity()
    assert identity["Arn"] == f"arn:{partition}:sts::{account.id}:assumed-role/reader/me"
    assert identity["Account"] == account.id
    role_id = account.iam.get_role(RoleName="reader")["Role"]["RoleId"]
    assert identity["UserId"] == f"{role_id}:me"


def unknown_to_both_protocols(caller: Caller) -> None:
    with refused("InvalidClientTokenId", status=403):
        whoami(caller)
    with refused("UnrecognizedClientException", status=400):
        caller.kms.list_keys()


def test_an_unknown_access_key_is_refused(aws: Aws) -> None:
    unknown_to_both_protocols(Caller(aws, "us-east-1", Credentials("AKIAIOSFODNN7EXAMPLE", "secret")))


def test_an_account_that_nobody_created_has_no_root_credential(aws: Aws) -> None:
    unknown_to_both_protocols(Caller(aws, "us-east-1", Credentials("AKIAROOT000000000000", "secret")))


def test_the_secret_must_match(aws: Aws) -> None:
    account = aws.account()
    caller = Caller(aws, account.region, replace(account.credentials, secret="other"))
    with refused("SignatureDoesNotMatch", status=403):
        whoami(caller)
    with refused("InvalidSignatureException"):
        caller.kms.list_keys()


def test_a_session_needs_its_token(aws: Aws) -> None:
    account = aws.account()
    session = account.as_role("reader")
    whoami(session)
    for token in (None, "other"):
        unknown_to_both_protocols(Caller(aws, account.region, replace(session.credentials, token=token)))


def test_an_inactive_or_deleted_access_key_is_refused(aws: Aws) -> None:
    account = aws.account()
    user = account.user("ann")
    whoami(user)
    account.iam.update_access_key(UserName="ann", AccessKeyId=user.credentials.key, Status="Inactive")
    unknown_to_both_protocols(user)
    account.iam.update_access_key(UserName="ann", AccessKeyId=user.credentials.key, Status="Active")
    whoami(user)
    account.iam.delete_access_key(UserName="ann", AccessKeyId=user.credentials.key)
    unknown_to_both_protocols(user)


def test_a_renamed_user_keeps_its_access_key(aws: Aws) -> None:
    account = aws.account()
    user = account.user("before")
    account.iam.update_user(UserName="before", NewUserName="after")
    assert whoami(user) == f"arn:aws:iam::{account.id}:user/after"


def _credentials_of(account: Account, kind: str) -> Credentials:
    return {
        "root": lambda: account.credentials,
        "user": lambda: account.user("ann", allow("*")).credentials,
        "session": lambda: account.as_role("reader", allow("*")).credentials,
    }[kind]()


@pytest.mark.parametrize("kind", ["root", "user", "session"])
def test_credentials_are_good_in_their_own_partition_only(aws: Aws, kind: str) -> None:
    account = aws.account("aws")
    aws.account("aws-cn", account_id=account.id)
    credentials = _credentials_of(account, kind)
    unknown_to_both_protocols(Caller(aws, "cn-north-1", credentials))
    whoami(Caller(aws, "eu-west-1", credentials))


def test_equal_digits_in_two_partitions_are_two_accounts(aws: Aws) -> None:
    account = aws.account("aws")
    chinese = aws.account("aws-cn", account_id=account.id)
    account.role("only-here")
    account.key()
    with refused("NoSuchEntity"):
        chinese.iam.get_role(RoleName="only-here")
    assert chinese.kms.list_keys()["Keys"] == []


def test_an_expired_session_says_so(aws: Aws) -> None:
    account = aws.account()
    session = account.as_role("reader", allow("*"))
    aws.admin("POST", "sessions/expire", account=account.id)
    with refused("ExpiredToken", status=403):
        whoami(session)
    with refused("ExpiredTokenException", status=400):
        session.kms.list_keys()


def test_a_session_ends_with_its_role(aws: Aws) -> None:
    account = aws.account()
    session = account.as_role("reader")
    account.iam.delete_role(RoleName="reader")
    account.role("reader")
    unknown_to_both_protocols(session)


def test_get_caller_identity_needs_no_permission(aws: Aws) -> None:
    whoami(aws.account().user("ann", deny("*")))


def test_creating_an_account_again_keeps_its_credential_and_its_content(aws: Aws) -> None:
    account = aws.account()
    key = account.key()
    again = aws.account(account_id=account.id, org="o-new")
    assert again.credentials == account.credentials
    assert account.kms.list_keys()["Keys"][0]["KeyArn"] == key
