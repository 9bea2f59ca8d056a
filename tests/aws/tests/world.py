"""A running strict AWS, and short words for setting up accounts in it."""

import itertools
import json
import os
import random
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

_CONFIG = Config(retries={"total_max_attempts": 1}, read_timeout=30, parameter_validation=False)
REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
READ = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]


@dataclass(frozen=True)
class Credentials:
    key: str
    secret: str
    token: str | None = None


class Aws:
    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}"
        # Every test has accounts of its own, so that tests do not meet, whichever server they share.
        self._ids = itertools.count(random.randrange(10**11, 9 * 10**11))

    def admin(self, method: str, path: str, /, **body: Any) -> Any:
        request = Request(f"{self.url}/_strict/{path}", json.dumps(body).encode(), method=method)
        try:
            with urlopen(request, timeout=10) as response:
                return json.load(response)
        except HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()}") from error

    def client(self, service: str, region: str, credentials: Credentials | None, url: str | None = None) -> Any:
        who = credentials or Credentials("", "")
        config = _CONFIG if credentials else _CONFIG.merge(Config(signature_version=UNSIGNED))
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=url or self.url,
            aws_access_key_id=who.key,
            aws_secret_access_key=who.secret,
            aws_session_token=who.token,
            config=config,
        )

    def account(self, partition: str = "aws", org: str | None = None, account_id: str | None = None) -> "Account":
        account_id = account_id or str(next(self._ids))
        made = self.admin("POST", "accounts", id=account_id, partition=partition, org=org)
        return Account(self, account_id, partition, Credentials(made["accessKeyId"], made["secretAccessKey"]))

    def count(self, **filters: str) -> int:
        return sum(line["count"] for line in self.admin("GET", "counters", **filters))


class Caller:
    """Somebody with credentials, in a Region."""

    def __init__(self, aws: Aws, region: str, credentials: Credentials):
        self.aws, self.region, self.credentials = aws, region, credentials

    @cached_property
    def kms(self) -> Any:
        return self.aws.client("kms", self.region, self.credentials)

    @cached_property
    def iam(self) -> Any:
        return self.aws.client("iam", self.region, self.credentials)

    @cached_property
    def secrets(self) -> Any:
        return self.aws.client("secretsmanager", self.region, self.credentials)

    def value(self, secret: str) -> str:
        return self.secrets.get_secret_value(SecretId=secret)["SecretString"]

    def within(self, region: str) -> "Caller":
        """The same credentials in another Region."""
        return Caller(self.aws, region, self.credentials)

    @cached_property
    def sts(self) -> Any:
        return self.aws.client("sts", self.region, self.credentials)

    def assume(self, role_arn: str, session: str = "test", **more: Any) -> "Caller":
        made = self.sts.assume_role(RoleArn=role_arn, RoleSessionName=session, **more)["Credentials"]
        credentials = Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
        return Caller(self.aws, self.region, credentials)


class Account(Caller):
    """An account, called as its root user."""

    def __init__(self, aws: Aws, account_id: str, partition: str, root: Credentials):
        super().__init__(aws, REGIONS[partition], root)
        self.id, self.partition = account_id, partition

    @property
    def root_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.id}:root"

    @cached_property
    def admin(self) -> Caller:
        """A user that may do everything IAM can give: what the root user must not do, it does."""
        return self.user("admin", allow("*"))

    def user(self, name: str, *policies: dict, path: str = "/") -> Caller:
        self.iam.create_user(UserName=name, Path=path)
        for number, document in enumerate(policies):
            self.iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(document))
        made = self.iam.create_access_key(UserName=name)["AccessKey"]
        return Caller(self.aws, self.region, Credentials(made["AccessKeyId"], made["SecretAccessKey"]))

    def role(self, name: str, *policies: dict, path: str = "/", trust: dict | None = None, **more: Any) -> str:
        document = json.dumps(trust or trusting(self.root_arn))
        made = self.iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document, **more)
        for number, policy in enumerate(policies):
            self.iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(policy))
        return made["Role"]["Arn"]

    def managed(self, name: str, document: dict) -> str:
        return self.iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))["Policy"]["Arn"]

    def as_role(self, name: str, *policies: dict, path: str = "/") -> Caller:
        return self.admin.assume(self.role(name, *policies, path=path))

    def key(self, *statements: dict, owner: bool = True, **more: Any) -> str:
        """A key's ARN. Its policy delegates to the account, as the default does, and has the given statements."""
        made = self.kms.create_key(**more)["KeyMetadata"]["Arn"]
        if statements:
            self.put(made, *statements, owner=owner)
        return made

    def secret(self, name: str, *statements: dict, value: str = "s3cret", **more: Any) -> str:
        """A secret's ARN. Its resource policy has the given statements, if there are any."""
        made = self.secrets.create_secret(Name=name, SecretString=value, **more)["ARN"]
        if statements:
            self.share(made, *statements)
        return made

    def share(self, secret: str, *statements: dict, **more: Any) -> None:
        self.secrets.put_resource_policy(SecretId=secret, ResourcePolicy=json.dumps(policy(*statements)), **more)

    def put(self, key: str, *statements: dict, owner: bool = True, caller: Caller | None = None) -> None:
        own = [key_statement(self.root_arn, "kms:*")] if owner else []
        (caller or self).kms.put_key_policy(KeyId=key, Policy=json.dumps(policy(*own, *statements)))

    def read(self, key: str) -> dict:
        return json.loads(self.kms.get_key_policy(KeyId=key)["Policy"])


def policy(*statements: dict) -> dict:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict:
    return policy({"Effect": "Allow", "Action": actions, "Resource": resource, **more})


def deny(actions: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict:
    return policy({"Effect": "Deny", "Action": actions, "Resource": resource, **more})


def key_statement(
    principal: str | list[str], actions: str | list[str] = USE, effect: str = "Allow", **more: Any
) -> dict:
    who = principal if principal == "*" else {"AWS": principal}
    return {"Effect": effect, "Principal": who, "Action": actions, "Resource": "*", **more}


def secret_statement(
    principal: str | list[str], actions: str | list[str] = READ, effect: str = "Allow", **more: Any
) -> dict:
    return key_statement(principal, actions, effect, **more)


def trusting(principal: str | list[str], **more: Any) -> dict:
    return policy({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **more})


class refused:
    """`with refused("AccessDenied"):` the block ends with this AWS error, whose message contains `text`."""

    def __init__(self, code: str, text: str = "", status: int | None = None):
        self._code, self._text, self._status = code, text, status

    def __enter__(self) -> None:
        self._raises = pytest.raises(ClientError)
        self._info = self._raises.__enter__()

    def __exit__(self, *exception: Any) -> bool | None:
        handled = self._raises.__exit__(*exception)
        response = self._info.value.response
        assert response["Error"]["Code"] == self._code, response
        assert self._text in response["Error"]["Message"], response
        if self._status is not None:
            assert response["ResponseMetadata"]["HTTPStatusCode"] == self._status
        return handled


def environment() -> dict[str, str]:
    """Without anything of the user's AWS configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
