"""Request quotas (D§6.1), charged to the caller's account. Off until the admin API turns them on."""

import threading
import time
from dataclasses import dataclass

from .call import Call
from .errors import AwsError

# Requests a second, for each account and Region.
_KMS = {
    "PutKeyPolicy": 15, "GetKeyPolicy": 1000, "DescribeKey": 2000, "ListGrants": 100, "CreateGrant": 50,
    "RevokeGrant": 30, "ListKeys": 500, "ListAliases": 500, "ListKeyPolicies": 100, "ListResourceTags": 2000,
    "TagResource": 10, "UntagResource": 5, "CreateKey": 5, "CreateAlias": 5, "UpdateAlias": 5, "EnableKey": 5,
    "DisableKey": 5, "EnableKeyRotation": 15, "DisableKeyRotation": 5, "GetKeyRotationStatus": 1000,
    "GetPublicKey": 2000, "ScheduleKeyDeletion": 15, "CancelKeyDeletion": 5, "ReplicateKey": 5,
    "UpdateKeyDescription": 5,
}  # fmt: skip
_CRYPTOGRAPHIC = {
    "Encrypt",
    "Decrypt",
    "ReEncrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateRandom",
}
_CRYPTOGRAPHIC_RATE = 5500  # shared by all symmetric operations
_SECRETS_POLICY = {"DeleteResourcePolicy", "GetResourcePolicy", "PutResourcePolicy", "ValidateResourcePolicy"}
_SECRETS_VALUES = {
    "PutSecretValue",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "ReplicateSecretToRegions",
    "RemoveRegionsFromReplication",
    "StopReplicationToReplica",
}
_SECRETS_ROTATION = {"RotateSecret", "CancelRotateSecret"}
_SECRETS_TAGS = {"TagResource", "UntagResource"}
_SECRETS_READS = {"GetSecretValue": 10_000, "DescribeSecret": 40_000}
_SECRETS_RATE = 50  # shared within each of the groups, and for each other operation
_STS_RATE = 600  # shared by all operations
# IAM's rates are unpublished; these are what the domain reference tells clients to stay under, doubled.
_IAM_READ_RATE, _IAM_WRITE_RATE = 10, 4


@dataclass
class _Bucket:
    tokens: float
    filled: float


class Throttling:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._enabled: dict[str | None, bool] = {None: False}
        self._overrides: dict[str, float] = {}
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def configure(self, enabled: bool, account: str | None, rates: dict[str, float]) -> None:
        """For one account or for all; `rates` overrides quotas by `service:operation` or by quota name."""
        with self._lock:
            self._enabled[account] = enabled
            self._overrides.update(rates)
            self._buckets.clear()

    def admit(self, call: Call) -> None:
        account = call.charged_account
        if not self._enabled.get(account, self._enabled[None]):
            return
        quota, rate = self._quota(call)
        # IAM is one control plane for its partition, the others are regional.
        place = call.partition if call.service == "iam" else call.region
        with self._lock:
            if not self._take((account, place, quota), rate):
                raise _throttled(call)

    def _quota(self, call: Call) -> tuple[str, float]:
        name, rate = _default_quota(call.service, call.operation)
        own = f"{call.service}:{call.operation}"
        return (own, self._overrides[own]) if own in self._overrides else (name, self._overrides.get(name, rate))

    def _take(self, key: tuple[str, str, str], rate: float) -> bool:
        now = time.monotonic()
        bucket = self._buckets.setdefault(key, _Bucket(max(rate, 1), now))
        bucket.tokens = min(max(rate, 1), bucket.tokens + (now - bucket.filled) * rate)
        bucket.filled = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


def _default_quota(service: str, operation: str) -> tuple[str, float]:
    if service == "kms":
        if operation in _CRYPTOGRAPHIC:
            return "kms:cryptographic", _CRYPTOGRAPHIC_RATE
        return f"kms:{operation}", _KMS.get(operation, 5)
    if service == "secretsmanager":
        return _secrets_quota(operation)
    if service == "sts":
        return "sts", _STS_RATE
    reads = operation.startswith(("Get", "List"))
    return ("iam:read", _IAM_READ_RATE) if reads else ("iam:write", _IAM_WRITE_RATE)


def _secrets_quota(operation: str) -> tuple[str, float]:
    if operation in _SECRETS_READS:
        return f"secretsmanager:{operation}", _SECRETS_READS[operation]
    for group, operations in (
        ("policy", _SECRETS_POLICY),
        ("values", _SECRETS_VALUES),
        ("rotation", _SECRETS_ROTATION),
        ("tags", _SECRETS_TAGS),
    ):
        if operation in operations:
            return f"secretsmanager:{group}", _SECRETS_RATE
    return f"secretsmanager:{operation}", _SECRETS_RATE


def _throttled(call: Call) -> AwsError:
    if call.json_protocol:
        return AwsError("ThrottlingException", "Rate exceeded")
    return AwsError("Throttling", "Rate exceeded")
