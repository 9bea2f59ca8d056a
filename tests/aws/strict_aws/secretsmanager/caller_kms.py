"""KMS as Secrets Manager calls it: with the identity of its own caller, and no grants (D§5.2).

So key policy, identity policies and key state decide as they do for a direct call, and see `kms:ViaService` besides.
These calls are part of the call to Secrets Manager: they meet no faults or quotas and are not in the journal.
"""

import base64
import json
from dataclasses import dataclass, replace
from typing import Any

from ..call import Call
from ..errors import AwsError
from ..kms import service as kms
from ..moto_base import error_code
from ..world import World

Context = dict[str, str]
# What a policy with a condition on the version must let through (D§5.2).
VALIDATION_VERSION = "RequestToValidateKeyAccess"


@dataclass(frozen=True)
class DataKey:
    plaintext: bytes
    ciphertext: bytes
    key_arn: str


def encryption_context(secret_arn: str, version_id: str) -> Context:
    return {"SecretARN": secret_arn, "SecretVersionId": version_id}


class CallerKms:
    def __init__(self, world: World, call: Call, region: str):
        self._world = world
        self._call = call
        self._region = region

    def validate(self, key: str, secret_arn: str) -> None:
        """Whether the caller may use the key for the secret at all, before anything is written."""
        context = encryption_context(secret_arn, VALIDATION_VERSION)
        self.decrypt(self.data_key(key, context).ciphertext, context)

    def data_key(self, key: str, context: Context) -> DataKey:
        made = self._perform("GenerateDataKey", KeyId=key, KeySpec="AES_256", EncryptionContext=context)
        return DataKey(base64.b64decode(made["Plaintext"]), base64.b64decode(made["CiphertextBlob"]), made["KeyId"])

    def encrypt(self, key: str, plaintext: bytes, context: Context) -> DataKey:
        text = base64.b64encode(plaintext).decode()
        made = self._perform("Encrypt", KeyId=key, Plaintext=text, EncryptionContext=context)
        return DataKey(plaintext, base64.b64decode(made["CiphertextBlob"]), made["KeyId"])

    def decrypt(self, ciphertext: bytes, context: Context) -> bytes:
        blob = base64.b64encode(ciphertext).decode()
        return base64.b64decode(self._perform("Decrypt", CiphertextBlob=blob, EncryptionContext=context)["Plaintext"])

    def _perform(self, operation: str, **params: Any) -> dict[str, Any]:
        outer = self._call
        headers = {"x-amz-target": f"TrentService.{operation}", "content-type": "application/x-amz-json-1.1"}
        inner = Call(
            request=replace(outer.request, headers=headers, query="", body=json.dumps(params).encode()),
            service="kms",
            operation=operation,
            region=self._region,
            params=params,
            json_protocol=True,
            signature=outer.signature,
            principal=outer.principal,
            # The suffix is the same in all partitions (D§2.4).
            via_service=f"secretsmanager.{self._region}.amazonaws.com",
        )
        try:
            reply = kms.serve(self._world, inner)
        except AwsError as refusal:
            raise _translated(operation, refusal.code) from refusal
        if code := error_code(reply):
            raise _translated(operation, code)
        if inner.extra["key"].key_spec != "SYMMETRIC_DEFAULT":
            raise _translated(operation, "InvalidKeyUsageException")
        return json.loads(reply.body)


def _translated(operation: str, code: str) -> AwsError:
    """KMS's refusal in Secrets Manager's words. Which half of the access is missing it never says (D§9 row 9)."""
    if code == "AccessDeniedException":
        return AwsError("AccessDeniedException", "Access to KMS is not allowed")
    if operation == "Decrypt":
        return AwsError(
            "DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key."
        )
    return AwsError(
        "EncryptionFailure",
        "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS key "
        "is available, enabled, and not in an invalid state.",
    )
