"""From the KmsKeyId of a request to the key that it means (D§5.4, D§5.5)."""

from ..call import Call
from ..errors import AwsError
from .model import DEFAULT_KEY_ALIAS, KeyChoice, Secret


def choose(call: Call, given: str | None, owner: str, region: str) -> KeyChoice:
    """For a secret of the account `owner`. Nothing, an empty text and the alias all mean `aws/secretsmanager`."""
    if not given or given.removeprefix(_prefix(call, owner, region)) == DEFAULT_KEY_ALIAS:
        return KeyChoice(None, _prefix(call, owner, region) + DEFAULT_KEY_ALIAS)
    if given.startswith("arn:"):
        return KeyChoice(given, given)
    name = given if given.startswith("alias/") else f"key/{given}"
    return KeyChoice(given, _prefix(call, call.caller.account, region) + name)


def require_shareable(call: Call, secret: Secret, default_key: bool) -> None:
    """`aws/secretsmanager` is for callers of its own account (D§5.1)."""
    if default_key and call.caller.account != secret.place.account:
        raise AwsError(
            "InvalidRequestException",
            "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS "
            "service key.",
        )


def _prefix(call: Call, account: str, region: str) -> str:
    return f"arn:{call.partition}:kms:{region}:{account}:"
