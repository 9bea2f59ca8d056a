"""What all services have, for Secrets Manager: validation, lists, faults, quotas, lag, the journal (D§5.5, D§6.1)."""

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from world import Account, Aws, allow, deny, refused, secret_statement

LONG = 60_000


class TestValidation:
    @pytest.mark.parametrize("name", ["a b", "ä", "a:b", "a*", ""])
    def test_names_have_a_form(self, aws: Aws, name: str) -> None:
        with refused("ValidationException"):
            aws.account().secret(name)

    def test_lengths_are_bounded(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("x" * 512, Description="d" * 2048)
        for call in (
            lambda: owner.secret("x" * 513),
            lambda: owner.secret("s", Description="d" * 2049),
            lambda: owner.secret("s", ClientRequestToken="t" * 31),
            lambda: owner.secret("s", ClientRequestToken="t" * 65),
        ):
            with refused("ValidationException", "Member must have length"):
                call()

    def test_what_is_required_is_required(self, aws: Aws) -> None:
        owner = aws.account()
        with refused("ValidationException", "Value null at 'name'"):
            owner.secrets.create_secret(SecretString="v")
        with refused("ValidationException", "2 validation errors detected"):
            owner.secrets.put_resource_policy()

    def test_messages_do_not_repeat_values(self, aws: Aws) -> None:
        with pytest.raises(Exception, match="secretString") as caught:
            aws.account().secret("s", value="do-not-repeat" * 10_000)
        assert "do-not-repeat" not in str(caught.value)

    def test_an_operation_that_is_not_served_says_so(self, aws: Aws) -> None:
        with refused("UnknownOperationException"):
            aws.account().secrets.get_random_password()


class TestTags:
    def tags(self, account: Account) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in account.secrets.describe_secret(SecretId="s").get("Tags", [])}

    def test_tags_are_added_changed_and_removed(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        owner.secrets.tag_resource(SecretId="s", Tags=[{"Key": "b", "Value": "3"}, {"Key": "c", "Value": "4"}])
        owner.secrets.untag_resource(SecretId="s", TagKeys=["a", "absent"])
        assert self.tags(owner) == {"b": "3", "c": "4"}

    def test_reserved_and_too_many_tags_are_refused(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s")
        with refused("InvalidParameterException"):
            owner.secrets.tag_resource(SecretId="s", Tags=[{"Key": "aws:mine", "Value": "1"}])
        with refused("InvalidParameterException"):
            owner.secrets.tag_resource(SecretId="s", Tags=[{"Key": str(n), "Value": "1"} for n in range(51)])
        assert self.tags(owner) == {}

    def test_a_change_that_costs_the_caller_its_access_is_denied(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s", Tags=[{"Key": "team", "Value": "a"}])
        mine = {"StringEquals": {"secretsmanager:ResourceTag/team": "a"}}
        role = owner.as_role("tagger", allow("secretsmanager:*", Condition=mine))
        with refused("AccessDeniedException"):
            role.secrets.tag_resource(SecretId="s", Tags=[{"Key": "team", "Value": "b"}])
        with refused("AccessDeniedException"):
            role.secrets.untag_resource(SecretId="s", TagKeys=["team"])
        assert self.tags(owner) == {"team": "a"}

    def test_requested_tags_are_condition_keys(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s")
        locked = deny("secretsmanager:TagResource", Condition={"ForAnyValue:StringEquals": {"aws:TagKeys": "locked"}})
        role = owner.as_role("tagger", allow("secretsmanager:*"), locked)
        role.secrets.tag_resource(SecretId="s", Tags=[{"Key": "free", "Value": "1"}])
        with refused("AccessDeniedException"):
            role.secrets.tag_resource(SecretId="s", Tags=[{"Key": "locked", "Value": "1"}])


class TestLists:
    def names(self, account: Account, **more: Any) -> list[str]:
        return [entry["Name"] for entry in account.secrets.list_secrets(SortOrder="asc", **more)["SecretList"]]

    def test_secrets_are_filtered(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("team/a", Tags=[{"Key": "managed-by", "Value": "us"}])
        owner.secret("team/b", Description="described")
        owner.secret("other")
        for key, value, wanted in (
            ("name", "team/", ["team/a", "team/b"]),
            ("name", "!team/", ["other"]),
            ("tag-key", "managed-by", ["team/a"]),
            ("tag-value", "us", ["team/a"]),
            ("description", "desc", ["team/b"]),
            ("all", "o", ["other"]),
        ):
            assert self.names(owner, Filters=[{"Key": key, "Values": [value]}]) == wanted, (key, value)

    def test_secrets_come_in_pages(self, aws: Aws) -> None:
        owner = aws.account()
        for name in "abcde":
            owner.secret(name)
        pages = owner.secrets.get_paginator("list_secrets").paginate(SortOrder="asc", PaginationConfig={"PageSize": 2})
        assert [[entry["Name"] for entry in page["SecretList"]] for page in pages] == [["a", "b"], ["c", "d"], ["e"]]

    def test_lists_know_no_values(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s", value="not-in-lists")
        assert "not-in-lists" not in str(owner.secrets.list_secrets())


class TestOwnedSecrets:
    @pytest.mark.parametrize(
        "call",
        [
            lambda s: s.put_secret_value(SecretId="s", SecretString="new"),
            lambda s: s.update_secret(SecretId="s", Description="new"),
            lambda s: s.delete_secret(SecretId="s"),
            lambda s: s.replicate_secret_to_regions(SecretId="s", AddReplicaRegions=[{"Region": "eu-west-1"}]),
        ],
    )
    def test_value_and_life_are_the_services(self, aws: Aws, call: Callable[[Any], Any]) -> None:
        owner = aws.account()
        secret = owner.secret("s")
        aws.admin("POST", "secrets/owner", arn=secret, service="rds")
        with refused("InvalidRequestException", "managed by another service"):
            call(owner.secrets)
        aws.admin("POST", "secrets/owner", arn=secret, service=None)
        call(owner.secrets)

    def test_it_is_told_and_read_and_shared(self, aws: Aws) -> None:
        owner = aws.account()
        secret = owner.secret("s")
        aws.admin("POST", "secrets/owner", arn=secret, service="rds")
        assert owner.secrets.describe_secret(SecretId="s")["OwningService"] == "rds"
        assert owner.value("s") == "s3cret"
        owner.share(secret, secret_statement(owner.root_arn))
        owner.secrets.tag_resource(SecretId="s", Tags=[{"Key": "a", "Value": "b"}])


class TestRotation:
    LAMBDA = "arn:aws:lambda:us-east-1:111122223333:function:rotate"

    def test_a_secret_tells_that_it_rotates(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s")
        assert "RotationEnabled" not in owner.secrets.describe_secret(SecretId="s")
        with refused("InvalidRequestException", "Lambda function ARN"):
            owner.secrets.rotate_secret(SecretId="s")
        rules = {"AutomaticallyAfterDays": 30}
        owner.secrets.rotate_secret(SecretId="s", RotationLambdaARN=self.LAMBDA, RotationRules=rules)
        described = owner.secrets.describe_secret(SecretId="s")
        assert described["RotationEnabled"] is True
        assert described["RotationRules"] == rules
        assert described["RotationLambdaARN"] == self.LAMBDA
        owner.secrets.cancel_rotate_secret(SecretId="s")
        assert owner.secrets.describe_secret(SecretId="s")["RotationEnabled"] is False


class TestFaults:
    def test_an_answer_can_be_lost_after_the_secret_was_made(self, aws: Aws) -> None:
        owner = aws.account()
        values = {"Name": "s", "SecretString": "v", "ClientRequestToken": "t" * 32}
        fault = {"service": "secretsmanager", "operation": "CreateSecret", "resource": "s"}
        aws.admin("POST", "faults", account=owner.id, reset=True, after_call=True, count=1, **fault)
        with pytest.raises(ConnectionClosedError):
            owner.secrets.create_secret(**values)
        assert owner.value("s") == "v"
        owner.secrets.create_secret(**values)
        assert len(owner.secrets.list_secret_version_ids(SecretId="s")["Versions"]) == 1

    def test_a_fault_before_the_call_leaves_no_trace(self, aws: Aws) -> None:
        owner = aws.account()
        aws.admin("POST", "faults", account=owner.id, error="InternalServiceError", status=500, count=1)
        with refused("InternalServiceError", status=500):
            owner.secret("s")
        owner.secret("s")

    def test_validation_of_a_policy_is_no_write(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s")
        aws.admin("POST", "faults", account=owner.id, writes=True, error="InternalServiceError")
        text = json.dumps({"Version": "2012-10-17", "Statement": [secret_statement(owner.root_arn)]})
        owner.secrets.validate_resource_policy(SecretId="s", ResourcePolicy=text)
        with refused("InternalServiceError"):
            owner.secrets.put_resource_policy(SecretId="s", ResourcePolicy=text)


class TestThrottling:
    @pytest.mark.parametrize(
        ("quota", "first", "second"),
        [
            ("secretsmanager:policy", "get_resource_policy", "delete_resource_policy"),
            ("secretsmanager:values", "put_secret_value", "update_secret"),
        ],
    )
    def test_operations_share_the_quota_of_their_group(self, aws: Aws, quota: str, first: str, second: str) -> None:
        owner = aws.account()
        secret = owner.secret("s")
        body = {"SecretString": "v"} if quota.endswith("values") else {}
        aws.admin("POST", "throttling", enabled=True, account=owner.id, rates={quota: 0.001})
        getattr(owner.secrets, first)(SecretId=secret, **body)
        with refused("ThrottlingException", "Rate exceeded"):
            getattr(owner.secrets, second)(SecretId=secret, **body)
        owner.secrets.describe_secret(SecretId=secret)
        aws.admin("POST", "throttling", enabled=False, rates={quota: 50})


class TestLag:
    def test_describe_and_policy_answer_the_state_before_until_the_lag_is_over(self, aws: Aws) -> None:
        owner = aws.account()
        secret = owner.secret("s")
        aws.admin("POST", "lag", account=owner.id, ms=LONG)
        owner.secrets.update_secret(SecretId="s", Description="new", SecretString="new")
        owner.share(secret, secret_statement(owner.root_arn))
        described = owner.secrets.describe_secret(SecretId="s")
        assert "Description" not in described
        assert len(described["VersionIdsToStages"]) == 1
        assert "ResourcePolicy" not in owner.secrets.get_resource_policy(SecretId="s")
        assert owner.value("s") == "new"
        aws.admin("POST", "lag", account=owner.id, ms=1)
        deadline = time.monotonic() + 10
        while "Description" not in owner.secrets.describe_secret(SecretId="s"):
            assert time.monotonic() < deadline, "the write was not seen within 10 s"
        assert "ResourcePolicy" in owner.secrets.get_resource_policy(SecretId="s")

    def test_a_new_secret_is_not_described_at_once(self, aws: Aws) -> None:
        owner = aws.account()
        aws.admin("POST", "lag", account=owner.id, ms=LONG)
        owner.secret("s")
        with refused("ResourceNotFoundException"):
            owner.secrets.describe_secret(SecretId="s")
        with refused("ResourceExistsException"):
            owner.secret("s")


class TestJournal:
    def test_calls_are_counted_by_operation_and_secret(self, aws: Aws) -> None:
        owner = aws.account()
        first, _ = owner.secret("a"), owner.secret("b")
        for name in ("a", "a", "b"):
            owner.value(name)
        count = {"account": owner.id, "service": "secretsmanager", "operation": "GetSecretValue"}
        assert aws.count(**count) == 3
        assert aws.count(**count, resource=first) == 2

    def test_kms_on_the_callers_behalf_is_part_of_the_call(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s")
        owner.value("s")
        assert aws.count(account=owner.id, service="kms") == 0

    def test_no_value_is_in_counters_or_log(self, aws: Aws) -> None:
        owner = aws.account()
        text, data = 'plain "quoted" value', b"binary value"
        owner.secret("s", value=text)
        owner.secrets.put_secret_value(SecretId="s", SecretString=text + "2")
        owner.secrets.update_secret(SecretId="s", SecretBinary=data)
        owner.secrets.create_secret(Name="t", SecretBinary=data)
        owner.secrets.get_secret_value(SecretId="s")
        with refused("ValidationException"):
            owner.secret("bad name", value=text)
        with refused("ResourceExistsException"):
            owner.secret("s", value=text)
        seen = json.dumps([aws.admin("GET", path, account=owner.id) for path in ("log", "counters", "faults")])
        assert "PutSecretValue" in seen
        forms = [text.encode(), data]
        forms += [base64.b64encode(form) for form in forms] + [json.dumps(text).strip('"').encode()]
        assert not [form for form in forms if form.decode() in seen or json.dumps(form.decode()).strip('"') in seen]


def test_concurrent_writers_each_leave_one_version(aws: Aws) -> None:
    owner = aws.account()
    owner.secret("s")

    def write(number: int) -> None:
        caller = owner.within(owner.region)
        caller.secrets.put_secret_value(SecretId="s", SecretString=str(number), ClientRequestToken=f"{number:032}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, [n % 16 for n in range(32)]))
    versions = owner.secrets.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)["Versions"]
    assert len(versions) == 17
    assert sorted(stage for v in versions for stage in v.get("VersionStages", [])) == ["AWSCURRENT", "AWSPREVIOUS"]
