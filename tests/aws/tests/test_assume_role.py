"""AssumeRole: trust policy, ExternalId, both accounts, role chaining (D§6.4)."""

import json

import pytest
from world import Aws, Caller, allow, deny, policy, refused, trusting

ASSUME = "sts:AssumeRole"


def test_a_role_that_does_not_exist_is_refused_like_one_that_does_not_trust(aws: Aws) -> None:
    account, other = aws.account(), aws.account()
    closed = account.role("closed", trust=trusting(other.root_arn))
    for arn in (closed, closed.replace("closed", "missing"), "arn:aws:iam::123456789012:role/missing"):
        with refused("AccessDenied", f"is not authorized to perform: sts:AssumeRole on resource: {arn}", 403):
            account.admin.assume(arn)


def test_the_arn_must_have_the_path(aws: Aws) -> None:
    account = aws.account()
    arn = account.role("reader", path="/team/")
    account.admin.assume(arn)
    with refused("AccessDenied"):
        account.admin.assume(arn.replace("/team", ""))


def test_across_accounts_both_sides_must_allow(aws: Aws) -> None:
    mine, theirs = aws.account(), aws.account()
    arn = theirs.role("target", trust=trusting(mine.root_arn))
    without, with_it = mine.user("without"), mine.user("with", allow(ASSUME, arn))
    with refused("AccessDenied"):
        without.assume(arn)
    with_it.assume(arn)
    theirs.iam.update_assume_role_policy(
        RoleName="target", PolicyDocument=json.dumps(trusting(f"arn:aws:iam::{mine.id}:user/without"))
    )
    with refused("AccessDenied"):
        with_it.assume(arn)
    with refused("AccessDenied"):
        without.assume(arn)


def test_in_ones_own_account_being_named_is_enough(aws: Aws) -> None:
    account = aws.account()
    user = account.user("ann")
    by_name = account.role("by-name", trust=trusting(f"arn:aws:iam::{account.id}:user/ann"))
    by_account = account.role("by-account")
    user.assume(by_name)
    with refused("AccessDenied"):
        user.assume(by_account)


def test_the_external_id_must_match(aws: Aws) -> None:
    account = aws.account()
    condition = {"StringEquals": {"sts:ExternalId": "the-id"}}
    arn = account.role("guarded", trust=trusting(account.root_arn, Condition=condition))
    account.admin.assume(arn, ExternalId="the-id")
    for more in ({}, {"ExternalId": "other"}):
        with refused("AccessDenied"):
            account.admin.assume(arn, **more)
    with refused("ValidationError", "externalId"):
        account.admin.assume(arn, ExternalId="no spaces")


@pytest.mark.parametrize("where", ["trust", "identity", "boundary"])
def test_a_deny_or_a_cap_on_either_side_refuses(aws: Aws, where: str) -> None:
    account = aws.account()
    ann = f"arn:aws:iam::{account.id}:user/ann"
    user = account.user("ann", allow(ASSUME), *([deny(ASSUME)] if where == "identity" else []))
    statements = trusting(ann)["Statement"]
    if where == "trust":
        statements.append({"Effect": "Deny", "Principal": "*", "Action": ASSUME})
    if where == "boundary":
        bound = account.managed("b", allow("s3:*"))
        account.iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=bound)
    arn = account.role("target", trust=policy(*statements))
    with refused("AccessDenied"):
        user.assume(arn)


def test_the_root_user_assumes_no_role(aws: Aws) -> None:
    account = aws.account()
    with refused("AccessDenied", "Roles may not be assumed by root accounts."):
        account.assume(account.role("reader"))


def test_nothing_crosses_partitions(aws: Aws) -> None:
    chinese, account = aws.account("aws-cn"), aws.account()
    open_to_all = policy({"Effect": "Allow", "Principal": "*", "Action": ASSUME})
    arn = chinese.role("target", trust=open_to_all)
    with refused("AccessDenied"):
        account.admin.assume(arn)
    chinese.admin.assume(arn)


def test_a_trusted_principal_must_exist_and_its_recreation_is_not_trusted(aws: Aws) -> None:
    account = aws.account()
    with refused("MalformedPolicyDocument", "Invalid principal in policy"):
        account.role("target", trust=trusting(f"arn:aws:iam::{account.id}:role/nobody"))
    account.role("caller", allow(ASSUME))
    target = account.role("target", trust=trusting(f"arn:aws:iam::{account.id}:role/caller"))
    account.admin.assume(f"arn:aws:iam::{account.id}:role/caller").assume(target)
    account.iam.delete_role_policy(RoleName="caller", PolicyName="p0")
    account.iam.delete_role(RoleName="caller")
    recreated = account.as_role("caller", allow(ASSUME))
    with refused("AccessDenied"):
        recreated.assume(target)


@pytest.mark.parametrize("name", ["a", "with space", "x" * 65, "slash/ed", "ünlaut"])
def test_session_names_have_a_form(aws: Aws, name: str) -> None:
    account = aws.account()
    with refused("ValidationError", "roleSessionName"):
        account.admin.assume(account.role("reader"), name)


class TestDuration:
    def test_a_session_may_last_as_long_as_its_role_says(self, aws: Aws) -> None:
        account = aws.account()
        arn = account.role("long", MaxSessionDuration=7200)
        account.admin.assume(arn, DurationSeconds=7200)
        with refused("ValidationError", "MaxSessionDuration"):
            account.admin.assume(arn, DurationSeconds=7201)
        for seconds in (899, 43_201):
            with refused("ValidationError", "durationSeconds"):
                account.admin.assume(arn, DurationSeconds=seconds)

    def test_a_chained_session_lasts_an_hour_at_most(self, aws: Aws) -> None:
        account = aws.account()
        arn = account.role("long", allow(ASSUME), MaxSessionDuration=7200)
        first: Caller = account.admin.assume(arn)
        first.assume(arn, DurationSeconds=3600)
        with refused("ValidationError", "1 hour session limit for roles assumed by role chaining"):
            first.assume(arn, DurationSeconds=3601)
