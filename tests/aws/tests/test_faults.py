"""Faults on demand, throttling, counters and the log."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.exceptions import ConnectionError as BotoConnectionError
from world import Account, Aws, allow, key_statement, refused


def fault(aws: Aws, account: Account, **values: Any) -> int:
    return aws.admin("POST", "faults", account=account.id, **values)["id"]


class TestFaults:
    def test_an_error_comes_for_the_operation_and_account_named_and_as_often(self, aws: Aws) -> None:
        account, other = aws.account(), aws.account()
        key = account.key()
        fault(aws, account, service="kms", operation="DescribeKey", error="KMSInternalException", status=500, count=2)
        other.kms.list_keys()
        account.kms.list_keys()
        for _ in range(2):
            with refused("KMSInternalException", status=500):
                account.kms.describe_key(KeyId=key)
        account.kms.describe_key(KeyId=key)

    def test_the_first_calls_can_be_spared(self, aws: Aws) -> None:
        account = aws.account()
        fault(aws, account, service="iam", error="ServiceFailure", status=500, skip=1, count=1)
        account.iam.get_account_summary()
        with refused("ServiceFailure"):
            account.iam.get_account_summary()
        account.iam.get_account_summary()

    def test_a_probability_strikes_some_calls(self, aws: Aws) -> None:
        account = aws.account()
        number = fault(aws, account, error="ThrottlingException", probability=0.5)
        results = set()
        for _ in range(40):
            try:
                account.kms.list_keys()
                results.add("OK")
            except account.kms.exceptions.ClientError:
                results.add("fault")
        assert results == {"OK", "fault"}
        hits = next(f["hits"] for f in aws.admin("GET", "faults") if f["id"] == number)
        assert 0 < hits < 40

    def test_a_fault_can_be_bound_to_caller_and_resource(self, aws: Aws) -> None:
        account = aws.account()
        role = account.role("target")
        account.role("other")
        fault(aws, account, operation="AssumeRole", resource=role, error="AccessDenied", status=403)
        account.admin.assume(role.replace("target", "other"))
        with refused("AccessDenied", "injected"):
            account.admin.assume(role)
        fault(aws, account, principal="*:user/admin", operation="ListKeys", error="KMSInternalException")
        account.kms.list_keys()
        with refused("KMSInternalException"):
            account.admin.kms.list_keys()

    def test_a_fault_can_spare_reads(self, aws: Aws) -> None:
        account = aws.account()
        role = account.role("target").rsplit("/", 1)[-1]
        fault(aws, account, writes=True, skip=1, error="ServiceFailure", status=500)
        policy = {"RoleName": role, "PolicyName": "own", "PolicyDocument": json.dumps(allow("*"))}
        account.iam.put_role_policy(**policy)
        account.iam.get_role(RoleName=role)
        account.iam.list_roles()
        with refused("ServiceFailure"):
            account.iam.delete_role_policy(RoleName=role, PolicyName="own")

    def test_a_removed_fault_is_gone(self, aws: Aws) -> None:
        account = aws.account()
        number = fault(aws, account, error="KMSInternalException")
        with refused("KMSInternalException"):
            account.kms.list_keys()
        aws.admin("DELETE", "faults", id=number)
        account.kms.list_keys()

    def test_a_status_alone_is_an_answer_too(self, aws: Aws) -> None:
        account = aws.account()
        fault(aws, account, status=503)
        with refused("InternalFailure", status=503):
            account.kms.list_keys()

    def test_a_connection_is_cut_before_the_call_is_performed(self, aws: Aws) -> None:
        account = aws.account()
        fault(aws, account, operation="CreateKey", reset=True, count=1)
        with pytest.raises((ConnectionClosedError, BotoConnectionError)):
            account.kms.create_key()
        assert account.kms.list_keys()["Keys"] == []
        assert aws.count(account=account.id, operation="CreateKey", result="ConnectionCut") == 1

    @pytest.mark.parametrize("loss", [{"reset": True}, {"error": "KMSInternalException", "status": 500}])
    def test_an_answer_is_lost_after_the_call_was_performed(self, aws: Aws, loss: dict) -> None:
        account = aws.account()
        fault(aws, account, operation="CreateKey", after_call=True, count=1, **loss)
        with pytest.raises((ConnectionClosedError, BotoConnectionError, account.kms.exceptions.ClientError)):
            account.kms.create_key()
        assert len(account.kms.list_keys()["Keys"]) == 1

    def test_a_hanging_call_holds_up_nobody_and_goes_on_when_the_fault_is_removed(self, aws: Aws) -> None:
        account = aws.account()
        number = fault(aws, account, operation="ListKeys", hang_ms=60_000, count=1)
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(aws.client("kms", account.region, account.credentials).list_keys)
            deadline = time.monotonic() + 10
            while not next(f["hits"] for f in aws.admin("GET", "faults") if f["id"] == number):
                assert time.monotonic() < deadline
            account.key()
            assert not hanging.done()
            aws.admin("DELETE", "faults", id=number)
            assert len(hanging.result(10)["Keys"]) == 1

    def test_a_client_times_out_on_a_hanging_call(self, aws: Aws) -> None:
        account = aws.account()
        fault(aws, account, operation="ListKeys", hang_ms=60_000)
        client = aws.client("kms", account.region, account.credentials)
        client._endpoint.http_session._timeout = 0.2
        with pytest.raises(ReadTimeoutError):
            client.list_keys()

    def test_a_fault_that_says_nothing_is_refused(self, aws: Aws) -> None:
        with pytest.raises(AssertionError, match="a fault needs"):
            aws.admin("POST", "faults", service="kms")
        with pytest.raises(AssertionError, match="unknown fields"):
            aws.admin("POST", "faults", service="kms", eror="x")


class TestThrottling:
    def test_the_quota_is_the_callers_and_off_until_it_is_turned_on(self, aws: Aws) -> None:
        account, other = aws.account(), aws.account()
        key = account.key(key_statement(other.root_arn))
        for _ in range(20):
            account.kms.describe_key(KeyId=key)
        aws.admin("POST", "throttling", account=account.id, enabled=True, rates={"kms:DescribeKey": 1})
        account.kms.describe_key(KeyId=key)
        with refused("ThrottlingException", "Rate exceeded", 400):
            account.kms.describe_key(KeyId=key)
        other.kms.describe_key(KeyId=key)
        account.kms.list_keys()
        aws.admin("POST", "throttling", account=account.id, enabled=False)
        account.kms.describe_key(KeyId=key)

    def test_put_key_policy_is_the_narrow_one(self, aws: Aws) -> None:
        account = aws.account()
        key = account.key()
        aws.admin("POST", "throttling", account=account.id, enabled=True)
        with refused("ThrottlingException"):
            for _ in range(200):
                account.put(key)
        assert aws.count(account=account.id, operation="PutKeyPolicy", result="OK") >= 15

    def test_iam_throttles_in_its_own_words(self, aws: Aws) -> None:
        account = aws.account()
        aws.admin("POST", "throttling", account=account.id, enabled=True)
        with refused("Throttling", "Rate exceeded", 400):
            for _ in range(500):
                account.iam.get_account_summary()


class TestJournal:
    def test_calls_are_counted_by_account_service_operation_and_result(self, aws: Aws) -> None:
        account = aws.account()
        key = account.key()
        role = account.as_role("reader", allow("kms:DescribeKey"))
        for _ in range(3):
            role.kms.describe_key(KeyId=key)
        with refused("AccessDeniedException"):
            role.kms.encrypt(KeyId=key, Plaintext=b"x")
        lines = aws.admin("GET", "counters", account=account.id, service="kms")
        counts = {(line["operation"], line["result"]): line["count"] for line in lines}
        assert counts == {("CreateKey", "OK"): 1, ("DescribeKey", "OK"): 3, ("Encrypt", "AccessDeniedException"): 1}
        assert aws.count(principal="*:assumed-role/reader/*", account=account.id) == 4
        assert aws.count(resource=key, operation="DescribeKey") == 3

    def test_counters_can_be_reset_for_one_account(self, aws: Aws) -> None:
        account, other = aws.account(), aws.account()
        for each in (account, other):
            each.kms.list_keys()
        aws.admin("DELETE", "counters", account=account.id)
        assert aws.count(account=account.id) == 0
        assert aws.count(account=other.id) == 1

    def test_the_log_has_the_order(self, aws: Aws) -> None:
        account = aws.account()
        key = account.key()
        account.put(key)
        account.read(key)
        log = aws.admin("GET", "log", account=account.id)
        assert [entry["operation"] for entry in log] == ["CreateKey", "PutKeyPolicy", "GetKeyPolicy"]
        assert {entry["principal"] for entry in log} == {account.root_arn}
        assert log[1]["resource"] == key
        later = aws.admin("GET", "log", account=account.id, since=log[1]["seq"])
        assert [entry["operation"] for entry in later] == ["GetKeyPolicy"]

    def test_an_unsigned_call_counts_for_the_account_of_the_role_it_wants(self, aws: Aws) -> None:
        account = aws.account()
        unsigned = aws.client("sts", account.region, None)
        arn = f"arn:aws:iam::{account.id}:role/none"
        with refused("AccessDenied"):
            unsigned.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="op", WebIdentityToken="x.y.z")
        assert aws.count(account=account.id, operation="AssumeRoleWithWebIdentity", result="AccessDenied") == 1
        fault(aws, account, operation="AssumeRoleWithWebIdentity", error="IDPCommunicationError")
        with refused("IDPCommunicationError"):
            unsigned.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="op", WebIdentityToken="x.y.z")
