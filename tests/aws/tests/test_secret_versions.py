"""Values, versions, tokens and labels (D§5.6)."""

from typing import Any

import pytest
from world import Account, Aws, allow, refused

TOKEN = "0" * 32
OTHER = "1" * 32


def labels(account: Account, secret: str) -> dict[str, list[str]]:
    return account.secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]


class TestTokens:
    def test_the_token_becomes_the_version(self, aws: Aws) -> None:
        owner = aws.account()
        made = owner.secrets.create_secret(Name="s", SecretString="v", ClientRequestToken=TOKEN)
        assert made["VersionId"] == TOKEN
        assert labels(owner, "s") == {TOKEN: ["AWSCURRENT"]}

    def test_the_same_token_with_the_same_value_changes_nothing(self, aws: Aws) -> None:
        owner = aws.account()
        first = owner.secrets.create_secret(Name="s", SecretString="v", ClientRequestToken=TOKEN)
        again = owner.secrets.create_secret(Name="s", SecretString="v", ClientRequestToken=TOKEN)
        assert (again["ARN"], again["VersionId"]) == (first["ARN"], TOKEN)
        owner.secrets.put_secret_value(SecretId="s", SecretString="w", ClientRequestToken=OTHER)
        before = owner.secrets.describe_secret(SecretId="s")["LastChangedDate"]
        owner.secrets.put_secret_value(SecretId="s", SecretString="v", ClientRequestToken=TOKEN)
        assert labels(owner, "s") == {OTHER: ["AWSCURRENT"], TOKEN: ["AWSPREVIOUS"]}
        assert owner.secrets.describe_secret(SecretId="s")["LastChangedDate"] == before

    @pytest.mark.parametrize("value", [{"SecretString": "w"}, {"SecretBinary": b"v"}])
    def test_the_same_token_with_another_value_is_refused(self, aws: Aws, value: dict[str, Any]) -> None:
        owner = aws.account()
        owner.secrets.create_secret(Name="s", SecretString="v", ClientRequestToken=TOKEN)
        with refused("ResourceExistsException", f"You can't use ClientRequestToken {TOKEN}"):
            owner.secrets.put_secret_value(SecretId="s", ClientRequestToken=TOKEN, **value)
        with refused("ResourceExistsException", TOKEN):
            owner.secrets.create_secret(Name="s", ClientRequestToken=TOKEN, **value)

    def test_update_secret_refuses_a_known_token_even_with_the_same_value(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secrets.create_secret(Name="s", SecretString="v", ClientRequestToken=TOKEN)
        with refused("ResourceExistsException", TOKEN):
            owner.secrets.update_secret(SecretId="s", SecretString="v", ClientRequestToken=TOKEN)

    def test_whether_a_value_is_the_same_needs_decrypt(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secrets.create_secret(Name="s", SecretString="v", ClientRequestToken=TOKEN, KmsKeyId=owner.key())
        role = owner.as_role("writer", allow("secretsmanager:*"), allow("kms:GenerateDataKey"))
        with refused("AccessDeniedException", "Access to KMS is not allowed"):
            role.secrets.put_secret_value(SecretId="s", SecretString="v", ClientRequestToken=TOKEN)

    def test_a_name_that_is_taken_is_refused_with_a_new_token(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s")
        with refused("ResourceExistsException", "The operation failed because the secret s already exists."):
            owner.secret("s")


class TestValues:
    def test_binary_values_come_back_as_they_went(self, aws: Aws) -> None:
        owner = aws.account()
        data = bytes(range(256))
        owner.secrets.create_secret(Name="s", SecretBinary=data)
        answer = owner.secrets.get_secret_value(SecretId="s")
        assert answer["SecretBinary"] == data
        assert "SecretString" not in answer

    def test_65536_bytes_is_the_limit(self, aws: Aws) -> None:
        owner = aws.account()
        largest = "ä" * 32_768
        owner.secret("s", value=largest)
        assert owner.value("s") == largest
        for value in ({"SecretString": largest + "x"}, {"SecretString": "x" * 65_537}, {"SecretBinary": b"x" * 65_537}):
            with refused("ValidationException", "less than or equal to 65536"):
                owner.secrets.put_secret_value(SecretId="s", **value)

    def test_a_value_is_a_string_or_binary_and_not_both(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s")
        with refused("InvalidParameterException"):
            owner.secrets.put_secret_value(SecretId="s", SecretString="v", SecretBinary=b"v")
        with refused("InvalidRequestException", "You must provide either SecretString or SecretBinary."):
            owner.secrets.put_secret_value(SecretId="s")
        with refused("ValidationException"):
            owner.secrets.put_secret_value(SecretId="s", SecretString="")

    def test_a_secret_may_have_no_value_yet(self, aws: Aws) -> None:
        owner = aws.account()
        made = owner.secrets.create_secret(Name="s")
        assert "VersionId" not in made
        assert "VersionIdsToStages" not in owner.secrets.describe_secret(SecretId="s")
        with refused("ResourceNotFoundException", "secret value for staging label: AWSCURRENT"):
            owner.value("s")
        owner.secrets.put_secret_value(SecretId="s", SecretString="first", VersionStages=["mine"])
        assert owner.value("s") == "first"


class TestLabels:
    def test_previous_comes_where_current_leaves(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s", value="1", ClientRequestToken="a" * 32)
        owner.secrets.put_secret_value(SecretId="s", SecretString="2", ClientRequestToken="b" * 32)
        owner.secrets.update_secret(SecretId="s", SecretString="3", ClientRequestToken="c" * 32)
        assert labels(owner, "s") == {"b" * 32: ["AWSPREVIOUS"], "c" * 32: ["AWSCURRENT"]}
        assert owner.secrets.get_secret_value(SecretId="s", VersionStage="AWSPREVIOUS")["SecretString"] == "2"
        assert owner.secrets.get_secret_value(SecretId="s", VersionId="a" * 32)["SecretString"] == "1"

    def test_own_labels_leave_current_where_it_is(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s", value="1", ClientRequestToken="a" * 32)
        owner.secrets.put_secret_value(
            SecretId="s", SecretString="2", ClientRequestToken="b" * 32, VersionStages=["AWSPENDING", "mine"]
        )
        assert labels(owner, "s") == {"a" * 32: ["AWSCURRENT"], "b" * 32: ["AWSPENDING", "mine"]}

    def test_labels_move_by_hand(self, aws: Aws) -> None:
        owner = aws.account()
        first, second = "a" * 32, "b" * 32
        owner.secret("s", value="1", ClientRequestToken=first)
        owner.secrets.put_secret_value(SecretId="s", SecretString="2", ClientRequestToken=second)

        def move(**more: str) -> None:
            owner.secrets.update_secret_version_stage(SecretId="s", VersionStage="AWSCURRENT", **more)

        with refused("InvalidParameterException", f"currently attached to version {second}"):
            move(MoveToVersionId=first)
        with refused("InvalidParameterException", "not currently attached"):
            move(MoveToVersionId=second, RemoveFromVersionId=first)
        with refused("InvalidParameterException"):
            move(RemoveFromVersionId=second)
        move(MoveToVersionId=first, RemoveFromVersionId=second)
        assert labels(owner, "s") == {first: ["AWSCURRENT"], second: ["AWSPREVIOUS"]}
        owner.secrets.update_secret_version_stage(SecretId="s", VersionStage="AWSPREVIOUS", RemoveFromVersionId=second)
        assert labels(owner, "s") == {first: ["AWSCURRENT"]}

    def test_version_and_label_must_belong_together(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s", ClientRequestToken=TOKEN)
        with refused("InvalidRequestException", "not associated"):
            owner.secrets.get_secret_value(SecretId="s", VersionId=TOKEN, VersionStage="AWSPREVIOUS")
        with refused("ResourceNotFoundException", f"VersionId: {OTHER}"):
            owner.secrets.get_secret_value(SecretId="s", VersionId=OTHER)

    def test_twenty_labels_are_the_most(self, aws: Aws) -> None:
        owner = aws.account()
        owner.secret("s")
        owner.secrets.put_secret_value(SecretId="s", SecretString="x", VersionStages=[f"l{n}" for n in range(19)])
        with refused("LimitExceededException"):
            owner.secrets.put_secret_value(SecretId="s", SecretString="y", VersionStages=["one-more"])


def test_a_hundred_versions_in_a_day_are_the_most(aws: Aws) -> None:
    owner = aws.account()
    owner.secret("s")
    for number in range(99):
        owner.secrets.put_secret_value(SecretId="s", SecretString=str(number))
    with refused("LimitExceededException"):
        owner.secrets.put_secret_value(SecretId="s", SecretString="one more")
    assert owner.value("s") == "98"


def test_versions_come_in_pages_and_deprecated_ones_only_when_asked_for(aws: Aws) -> None:
    owner = aws.account()
    owner.secret("s", ClientRequestToken="a" * 32)
    for token in ("b", "c", "d"):
        owner.secrets.put_secret_value(SecretId="s", SecretString=token, ClientRequestToken=token * 32)
    shown = owner.secrets.list_secret_version_ids(SecretId="s")["Versions"]
    assert {v["VersionId"][0]: v["VersionStages"] for v in shown} == {"c": ["AWSPREVIOUS"], "d": ["AWSCURRENT"]}
    first = owner.secrets.list_secret_version_ids(SecretId="s", IncludeDeprecated=True, MaxResults=3)
    second = owner.secrets.list_secret_version_ids(SecretId="s", IncludeDeprecated=True, NextToken=first["NextToken"])
    assert [v["VersionId"][0] for v in first["Versions"] + second["Versions"]] == ["a", "b", "c", "d"]
    assert "NextToken" not in second
    with refused("InvalidNextTokenException"):
        owner.secrets.list_secret_version_ids(SecretId="s", NextToken="made up")
