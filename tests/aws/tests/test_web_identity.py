"""AssumeRoleWithWebIdentity: a ServiceAccount token opens a role (D§6.4)."""

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from world import Account, Aws, Caller, Credentials, allow, policy, refused

SUBJECT = "system:serviceaccount:ns:operator"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def issuer_of(account: Account) -> str:
    return f"https://issuer.example/{account.id}"


def token(account: Account, key: rsa.RSAPrivateKey = KEY, kid: str = "k1", **claims: Any) -> str:
    now = int(time.time())
    default = {"iss": issuer_of(account), "sub": SUBJECT, "aud": ["sts.amazonaws.com"], "iat": now, "exp": now + 600}
    return jwt.encode(default | claims, key, algorithm="RS256", headers={"kid": kid})


def trusting_the_service_account(account: Account) -> dict:
    name = issuer_of(account).removeprefix("https://")
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:{account.partition}:iam::{account.id}:oidc-provider/{name}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{name}:sub": SUBJECT, f"{name}:aud": "sts.amazonaws.com"}},
        }
    )


def prepared(aws: Aws, partition: str = "aws") -> tuple[Account, str]:
    """An account that trusts the issuer, and the ARN of a role in it that trusts the ServiceAccount."""
    account = aws.account(partition)
    account.iam.create_open_id_connect_provider(
        Url=issuer_of(account), ClientIDList=["sts.amazonaws.com", "other"], ThumbprintList=["a" * 40]
    )
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "k1", "use": "sig", "alg": "RS256"}
    aws.admin("POST", "oidc", issuer=issuer_of(account), jwks={"keys": [jwk]})
    return account, account.role("operator", allow("kms:ListKeys"), trust=trusting_the_service_account(account))


def assume(aws: Aws, arn: str, web_identity: str, url: str | None = None) -> dict:
    region = "cn-north-1" if arn.startswith("arn:aws-cn") else "us-east-1"
    client = aws.client("sts", region, None, url)
    return client.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="op", WebIdentityToken=web_identity)


@pytest.mark.parametrize("partition", ["aws", "aws-cn"])
def test_the_token_of_the_trusted_service_account_opens_the_role(aws: Aws, partition: str) -> None:
    account, arn = prepared(aws, partition)
    answer = assume(aws, arn, token(account))
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    made = answer["Credentials"]
    session = Caller(
        aws, account.region, Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    )
    assert session.sts.get_caller_identity()["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert session.kms.list_keys()["Keys"] == []


@pytest.mark.parametrize("claims", [{"sub": "system:serviceaccount:ns:other"}, {"aud": ["other"]}])
def test_the_trust_policys_conditions_decide(aws: Aws, claims: dict) -> None:
    account, arn = prepared(aws)
    with refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403):
        assume(aws, arn, token(account, **claims))


@pytest.mark.parametrize(
    ("made_with", "code"),
    [
        ({"key": OTHER_KEY}, "InvalidIdentityToken"),
        ({"kid": "k2"}, "InvalidIdentityToken"),
        ({"aud": ["nobody"]}, "InvalidIdentityToken"),
        ({"iss": "https://elsewhere.example"}, "InvalidIdentityToken"),
        ({"iat": 1_000_000, "exp": 1_000_600}, "ExpiredTokenException"),
    ],
)
def test_a_token_that_does_not_verify_is_refused(aws: Aws, made_with: dict, code: str) -> None:
    account, arn = prepared(aws)
    with refused(code, status=400):
        assume(aws, arn, token(account, **made_with))


def test_what_is_no_token_is_refused(aws: Aws) -> None:
    _, arn = prepared(aws)
    with refused("InvalidIdentityToken"):
        assume(aws, arn, "no.to.ken")


def test_the_issuer_must_be_registered_in_the_roles_account(aws: Aws) -> None:
    account, arn = prepared(aws)
    account.iam.delete_open_id_connect_provider(
        OpenIDConnectProviderArn=trusting_the_service_account(account)["Statement"][0]["Principal"]["Federated"]
    )
    with refused("InvalidIdentityToken", "No OpenIDConnect provider found"):
        assume(aws, arn, token(account))


def test_a_role_that_trusts_somebody_else_or_does_not_exist_is_refused(aws: Aws) -> None:
    account, arn = prepared(aws)
    for other in (account.role("closed"), arn.replace("operator", "missing")):
        with refused("AccessDenied"):
            assume(aws, other, token(account))


def test_an_endpoint_of_another_partition_does_not_know_the_role(aws: Aws) -> None:
    account, arn = prepared(aws)
    assume(aws, arn, token(account), f"{aws.url}/_region/eu-west-1")
    with refused("AccessDenied"):
        assume(aws, arn, token(account), f"{aws.url}/_region/cn-north-1")
