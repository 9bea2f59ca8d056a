"""moto's KMS with the parts replaced that are not AWS's: whose key it is, its policy, ciphertexts across accounts."""

import base64
import json
from typing import Any

from moto.kms.models import Key
from moto.kms.responses import KmsResponse
from moto.moto_api._internal import mock_random

from ..errors import AwsError
from ..moto_base import BoundToCall
from ..world import World
from . import keys, put_policy, request_context
from .managed_keys import default_policy

_DEFAULTS = {"KeyUsage": "ENCRYPT_DECRYPT"}


class StrictKms(BoundToCall, KmsResponse):
    """The key of the call was resolved and authorized before; it stands in `call.extra`."""

    @property
    def world(self) -> World:
        return self.call.extra["world"]

    @property
    def key(self) -> Key:
        return self.call.extra["key"]

    def _get_param(self, param_name: str, if_none: Any = None) -> Any:
        # moto knows bare ids best: aliases and ARNs were resolved, also those of other accounts.
        if param_name in self.call.extra.get("resolved", ()):
            return self.key.id
        return super()._get_param(param_name, _DEFAULTS.get(param_name, if_none))

    def _validate_key_policy(self, key_id: str, action: str) -> None:
        """moto's guess at a Deny; authorization has been done."""

    def create_key(self) -> str:
        body = super().create_key()
        created = self.kms_backend.keys[json.loads(body)["KeyMetadata"]["KeyId"]]
        text = self._get_param("Policy")
        if text is None:
            created.policy = default_policy(self.world, created)
            return body
        try:
            context = request_context.with_key(self.world, self.call, created, "kms:PutKeyPolicy", None)
            created.policy = put_policy.accept(self.world, self.call, created, text, context)
        except AwsError:
            del self.kms_backend.keys[created.id]
            raise
        return body

    def put_key_policy(self) -> str:
        _require_default(self._get_param("PolicyName"))
        text = self._get_param("Policy")
        if not isinstance(text, str):
            raise AwsError(
                "ValidationException",
                "1 validation error detected: Value null at 'policy' failed to satisfy constraint: "
                "Member must not be null",
            )
        context = request_context.with_key(self.world, self.call, self.key, "kms:PutKeyPolicy", None)
        accepted = put_policy.accept(self.world, self.call, self.key, text, context)
        self.world.lag.before_policy_write(self.key, keys.policy_of(self.world, self.key))
        self.key.policy = accepted
        return ""

    def get_key_policy(self) -> str:
        _require_default(self._get_param("PolicyName"))
        current = keys.policy_of(self.world, self.key)
        policy = self.world.lag.policy_to_read(self.key, current)
        return json.dumps({"Policy": policy.render(), "PolicyName": "default"})

    def schedule_key_deletion(self) -> str:
        days = self._get_param("PendingWindowInDays", 30)
        if not 7 <= days <= 30:
            # moto would silently do nothing (D§1.6: 7 to 30 days).
            raise AwsError("ValidationException", "PendingWindowInDays must be between 7 and 30 (inclusive).")
        return super().schedule_key_deletion()

    def re_encrypt(self) -> str:
        """The two keys may be of two accounts; moto looks for both in one."""
        source, destination = self.call.extra["source"], self.key
        plaintext, _ = _backend_of(source).decrypt(
            self._get_param("CiphertextBlob"), self._get_param("SourceEncryptionContext", {})
        )
        blob, _ = _backend_of(destination).encrypt(
            destination.id, plaintext, self._get_param("DestinationEncryptionContext", {})
        )
        return json.dumps(
            {
                "CiphertextBlob": base64.b64encode(blob).decode(),
                "SourceKeyId": source.arn,
                "KeyId": destination.arn,
                "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
                "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            }
        )

    def create_grant(self) -> str:
        answer = super().create_grant()
        grant = self.key.grants[json.loads(answer)["GrantId"]]
        grant.id, old_id = mock_random.get_random_hex(64), grant.id
        self.key.grants[grant.id] = self.key.grants.pop(old_id)
        grant.issuing_account = self.call.caller.root_arn
        return json.dumps({"GrantId": grant.id, "GrantToken": grant.token})

    def list_grants(self) -> str:
        answer = json.loads(super().list_grants())
        for grant in answer["Grants"]:
            grant["KeyId"] = self.key.arn
            grant["IssuingAccount"] = self.key.grants[grant["GrantId"]].issuing_account
        grantee = self._get_param("GranteePrincipal")
        if grantee:
            answer["Grants"] = [grant for grant in answer["Grants"] if grant["GranteePrincipal"] == grantee]
        del answer["GrantCount"]
        return json.dumps(answer)


def _backend_of(key: Key) -> Any:
    return keys.backend(key.account_id, key.region)


def _require_default(policy_name: str | None) -> None:
    # `default` is the only legal name, and what an absent one means (D§1.1).
    if policy_name not in (None, "default"):
        raise keys.not_found("No such policy exists")
