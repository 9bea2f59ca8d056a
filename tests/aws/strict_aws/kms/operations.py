"""What each KMS operation needs: from which accounts it works, on which key states, for which key usage.

D§2.1 (cross-account use), D§1.6 (key states), D§2.2 (key usage), D§4.6 (DryRun).
"""

from dataclasses import dataclass
from enum import Enum, auto


class Reach(Enum):
    """Which references to a key in another account the operation takes."""

    OWNER = auto()  # none: it works in the owner's account only
    KEY_ARN = auto()
    KEY_OR_ALIAS_ARN = auto()


class States(Enum):
    ANY = auto()
    USE = auto()  # Enabled (a key being updated can be used)
    GRANT = auto()  # as USE, and Unavailable too
    MANAGE = auto()  # all but pending deletion
    PENDING_DELETION = auto()


@dataclass(frozen=True)
class Operation:
    reach: Reach
    states: States
    dry_run: bool = False
    usages: frozenset[str] | None = None
    # Where the request names the key.
    key_param: str = "KeyId"


def _use(*usages: str, dry_run: bool = True) -> Operation:
    return Operation(Reach.KEY_OR_ALIAS_ARN, States.USE, dry_run, frozenset(usages))


_OWNER = Operation(Reach.OWNER, States.ANY)
_MANAGE = Operation(Reach.OWNER, States.MANAGE)

ON_A_KEY: dict[str, Operation] = {
    "Encrypt": _use("ENCRYPT_DECRYPT"),
    "Decrypt": _use("ENCRYPT_DECRYPT"),
    "GenerateDataKey": _use("ENCRYPT_DECRYPT"),
    "GenerateDataKeyWithoutPlaintext": _use("ENCRYPT_DECRYPT"),
    "GenerateMac": _use("GENERATE_VERIFY_MAC"),
    "VerifyMac": _use("GENERATE_VERIFY_MAC"),
    "Sign": _use("SIGN_VERIFY"),
    "Verify": _use("SIGN_VERIFY"),
    "GetPublicKey": _use("ENCRYPT_DECRYPT", "SIGN_VERIFY", "KEY_AGREEMENT", dry_run=False),
    "DescribeKey": Operation(Reach.KEY_OR_ALIAS_ARN, States.ANY),
    "CreateGrant": Operation(Reach.KEY_ARN, States.GRANT, dry_run=True),
    "ListGrants": Operation(Reach.KEY_ARN, States.ANY),
    "RevokeGrant": Operation(Reach.KEY_ARN, States.ANY, dry_run=True),
    "GetKeyRotationStatus": Operation(Reach.KEY_ARN, States.ANY),
    "GetKeyPolicy": _OWNER,
    "PutKeyPolicy": _OWNER,
    "ListKeyPolicies": _OWNER,
    "ListResourceTags": _OWNER,
    "ListKeyRotations": _OWNER,
    "TagResource": _MANAGE,
    "UntagResource": _MANAGE,
    "UpdateKeyDescription": _MANAGE,
    "EnableKey": _MANAGE,
    "DisableKey": _MANAGE,
    "EnableKeyRotation": Operation(Reach.OWNER, States.USE),
    "DisableKeyRotation": Operation(Reach.OWNER, States.USE),
    "RotateKeyOnDemand": Operation(Reach.OWNER, States.USE),
    "ReplicateKey": Operation(Reach.OWNER, States.USE),
    "ScheduleKeyDeletion": _MANAGE,
    "CancelKeyDeletion": Operation(Reach.OWNER, States.PENDING_DELETION),
    # Aliases need their action on the alias and on the key.
    "CreateAlias": Operation(Reach.OWNER, States.MANAGE, key_param="TargetKeyId"),
    "UpdateAlias": Operation(Reach.OWNER, States.MANAGE, key_param="TargetKeyId"),
    "DeleteAlias": Operation(Reach.OWNER, States.ANY, key_param="AliasName"),
}

# ReEncrypt uses two keys, each with its own action.
RE_ENCRYPT_SOURCE = _use("ENCRYPT_DECRYPT")
RE_ENCRYPT_DESTINATION = RE_ENCRYPT_SOURCE

# Only the caller's identity policies decide; there is no key to have a policy.
WITHOUT_A_KEY = {"CreateKey", "ListKeys", "ListAliases", "GenerateRandom"}
