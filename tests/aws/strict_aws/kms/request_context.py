"""The condition keys that a KMS request carries (D§2.4)."""

from typing import Any

from moto.kms.models import Key

from ..call import Call
from ..policy.context import Context, Value
from ..policy.request_context import global_context
from ..world import World

_GRANT_OPERATIONS = {"CreateGrant", "ListGrants", "RevokeGrant"}
# A request may name the encryption context differently for each of its keys.
_CONTEXT_PARAMS = {
    "kms:ReEncryptFrom": "SourceEncryptionContext",
    "kms:ReEncryptTo": "DestinationEncryptionContext",
}


def without_key(world: World, call: Call) -> Context:
    return global_context(world, call).extended(
        {
            "kms:CallerAccount": call.caller.account,
            "kms:ViaService": call.via_service,
            "kms:BypassPolicyLockoutSafetyCheck": bool(call.params.get("BypassPolicyLockoutSafetyCheck", False)),
            "kms:KeySpec": call.params.get("KeySpec", "SYMMETRIC_DEFAULT") if call.operation == "CreateKey" else None,
            "kms:KeyUsage": call.params.get("KeyUsage", "ENCRYPT_DECRYPT") if call.operation == "CreateKey" else None,
        }
    )


def with_key(world: World, call: Call, key: Key, action: str, reference: str | None) -> Context:
    params = call.params
    values: dict[str, Value] = {
        "aws:ResourceAccount": key.account_id,
        "kms:KeySpec": key.key_spec,
        "kms:KeyUsage": key.key_usage,
        "kms:KeyOrigin": key.origin,
        "kms:MultiRegion": bool(key.multi_region),
        "kms:RequestAlias": _alias(reference),
        "kms:EncryptionAlgorithm": params.get("EncryptionAlgorithm"),
        "kms:SigningAlgorithm": params.get("SigningAlgorithm"),
        "kms:MacAlgorithm": params.get("MacAlgorithm"),
        "kms:ScheduleKeyDeletionPendingWindowInDays": params.get("PendingWindowInDays"),
        **_encryption_context(params.get(_CONTEXT_PARAMS.get(action, "EncryptionContext"))),
    }
    if call.operation in _GRANT_OPERATIONS:
        # Only services of AWS make grants for their resources (D§2.4).
        values["kms:GrantIsForAWSResource"] = call.via_service is not None
        values["kms:GranteePrincipal"] = params.get("GranteePrincipal")
        values["kms:RetiringPrincipal"] = params.get("RetiringPrincipal")
        values["kms:GrantOperations"] = params.get("Operations")
    return without_key(world, call).extended(values)


def _alias(reference: str | None) -> str | None:
    name = (reference or "").rsplit(":", 1)[-1]
    return name if name.startswith("alias/") else None


def _encryption_context(pairs: dict[str, Any] | None) -> dict[str, Value]:
    if not pairs:
        return {}
    return {
        "kms:EncryptionContextKeys": list(pairs),
        **{f"kms:EncryptionContext:{name}": value for name, value in pairs.items()},
    }
