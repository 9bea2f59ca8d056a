"""What a key's state, its usage and DryRun change (D§1.6, D§2.2, D§4.6)."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from world import USE, Aws, allow, key_statement, refused

STATES = ["Disabled", "PendingDeletion", "PendingImport", "Unavailable", "Creating"]


@pytest.mark.parametrize("state", STATES)
def test_a_key_that_cannot_be_used_still_has_its_policy_put_and_read(aws: Aws, state: str) -> None:
    owner = aws.account()
    key = owner.key()
    blob = owner.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    aws.admin("POST", "keys/state", arn=key, state=state)
    assert owner.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == state
    owner.put(key, key_statement("*", Sid="s"))
    assert len(owner.read(key)["Statement"]) == 2
    code = "DisabledException" if state == "Disabled" else "KMSInvalidStateException"
    with refused(code):
        owner.kms.encrypt(KeyId=key, Plaintext=b"x")
    with refused(code):
        owner.kms.decrypt(CiphertextBlob=blob)
    with refused(code):
        owner.kms.generate_data_key(KeyId=key, KeySpec="AES_256")


def test_the_api_leads_through_the_states(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()

    def state() -> str:
        return owner.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]

    owner.kms.disable_key(KeyId=key)
    assert state() == "Disabled"
    owner.kms.enable_key(KeyId=key)
    with refused("KMSInvalidStateException", "is not pending deletion"):
        owner.kms.cancel_key_deletion(KeyId=key)
    for days in (6, 31):
        with refused("ValidationException"):
            owner.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    assert owner.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["KeyId"] == key
    assert state() == "PendingDeletion"
    with refused("KMSInvalidStateException", "is pending deletion"):
        owner.kms.enable_key(KeyId=key)
    assert owner.kms.cancel_key_deletion(KeyId=key)["KeyId"] == key
    assert state() == "Disabled"


@pytest.mark.parametrize(
    ("state", "code"),
    [("Disabled", "DisabledException"), ("Creating", "KMSInvalidStateException"), ("Unavailable", None)],
)
def test_grants_end_in_any_state_and_begin_in_few(aws: Aws, state: str, code: str | None) -> None:
    owner = aws.account()
    key = owner.key()
    grant = owner.kms.create_grant(KeyId=key, GranteePrincipal=owner.root_arn, Operations=["Decrypt"])["GrantId"]
    aws.admin("POST", "keys/state", arn=key, state=state)
    if code:
        with refused(code):
            owner.kms.create_grant(KeyId=key, GranteePrincipal=owner.root_arn, Operations=["Decrypt"])
    else:
        owner.kms.create_grant(KeyId=key, GranteePrincipal=owner.root_arn, Operations=["Decrypt"])
    listed = owner.kms.list_grants(KeyId=key)["Grants"]
    assert {entry["IssuingAccount"] for entry in listed} == {owner.root_arn}
    owner.kms.revoke_grant(KeyId=key, GrantId=grant)
    assert grant not in {entry["GrantId"] for entry in owner.kms.list_grants(KeyId=key)["Grants"]}


def test_the_state_is_told_only_to_who_may_use_the_key(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key()
    owner.kms.disable_key(KeyId=key)
    with refused("AccessDeniedException"):
        partner.as_role("reader", allow(USE)).kms.encrypt(KeyId=key, Plaintext=b"x")


def test_a_key_is_used_for_its_usage_only(aws: Aws) -> None:
    owner = aws.account()
    mac = owner.key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")
    with refused("InvalidKeyUsageException"):
        owner.kms.encrypt(KeyId=mac, Plaintext=b"x")
    made = owner.kms.generate_mac(KeyId=mac, Message=b"x", MacAlgorithm="HMAC_SHA_256")
    assert made["KeyId"] == mac
    with refused("InvalidKeyUsageException"):
        owner.kms.generate_mac(KeyId=owner.key(), Message=b"x", MacAlgorithm="HMAC_SHA_256")


def test_dry_run_says_what_the_call_would_have_said(aws: Aws) -> None:
    owner, partner = aws.account(), aws.account()
    key = owner.key(key_statement(partner.root_arn))
    blob = owner.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    role = partner.as_role("reader", allow(USE))
    calls = {
        "encrypt": {"KeyId": key, "Plaintext": b"x"},
        "decrypt": {"CiphertextBlob": blob},
        "generate_data_key": {"KeyId": key, "KeySpec": "AES_256"},
        "re_encrypt": {"CiphertextBlob": blob, "DestinationKeyId": key},
    }
    for operation, parameters in calls.items():
        with refused("DryRunOperationException"):
            getattr(role.kms, operation)(**parameters, DryRun=True)
    partner.iam.delete_role_policy(RoleName="reader", PolicyName="p0")
    for operation, parameters in calls.items():
        with refused("AccessDeniedException"):
            getattr(role.kms, operation)(**parameters, DryRun=True)
    owner.kms.disable_key(KeyId=key)
    with refused("DisabledException"):
        owner.kms.encrypt(KeyId=key, Plaintext=b"x", DryRun=True)


def test_concurrent_puts_leave_one_whole_policy(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key()

    def put(number: int) -> str:
        sid = f"writer {number}"
        statements = [key_statement(owner.root_arn, "kms:*", Sid=sid) for _ in range(20)]
        try:
            aws.client("kms", owner.region, owner.credentials).put_key_policy(
                KeyId=key, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements})
            )
        except ClientError as error:
            return str(error)
        return "OK"

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(put, range(16))) == {"OK"}
    assert len({statement["Sid"] for statement in owner.read(key)["Statement"]}) == 1


def test_a_key_can_be_given_the_id_that_it_had_in_another_world(aws: Aws) -> None:
    owner = aws.account()
    key = owner.key(key_statement("*", Sid="s"))
    number = "1234abcd-12ab-34cd-56ef-1234567890ab"
    renamed = aws.admin("POST", "keys/id", arn=key, id=number)["arn"]
    assert renamed.endswith(f":{owner.id}:key/{number}")
    blob = owner.kms.encrypt(KeyId=renamed, Plaintext=b"x")["CiphertextBlob"]
    assert owner.kms.decrypt(CiphertextBlob=blob)["KeyId"] == renamed
    assert len(owner.read(renamed)["Statement"]) == 2
    with refused("NotFoundException"):
        owner.kms.describe_key(KeyId=key)
