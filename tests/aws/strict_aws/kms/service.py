"""KMS: resolve the keys, authorize, check their state, then let moto work in the account that owns the key."""

import base64
import json
from typing import Any

from moto.kms.models import Key
from moto.kms.utils import _deserialize_ciphertext_blob

from .. import moto_base
from ..call import Call
from ..errors import AwsError
from ..httpd import Reply
from ..policy import denied as words
from ..policy import identity_side
from ..world import World
from . import key_state, keys, request_context
from .authorize import authorize
from .denied import denied
from .moto_kms import StrictKms
from .operations import ON_A_KEY, RE_ENCRYPT_DESTINATION, RE_ENCRYPT_SOURCE, WITHOUT_A_KEY, Operation

# moto echoes what the request said; AWS answers the key's ARN.
_ANSWERS_KEY_ARN = {
    "CancelKeyDeletion",
    "ScheduleKeyDeletion",
    "GetPublicKey",
    "GenerateMac",
    "VerifyMac",
    "RotateKeyOnDemand",
}


def named_resource(call: Call) -> str:
    """What the request says it is about, before anything is looked up."""
    for parameter in ("KeyId", "TargetKeyId", "DestinationKeyId", "AliasName"):
        if isinstance(value := call.params.get(parameter), str):
            return value
    return "*"


def serve(world: World, call: Call) -> Reply:
    call.extra["world"] = world
    if call.operation in WITHOUT_A_KEY:
        _authorize_by_identity(world, call, f"kms:{call.operation}", "*")
        call.account = call.caller.account
    elif call.operation == "ReEncrypt":
        _prepare_re_encrypt(world, call)
    elif call.operation in ON_A_KEY:
        _prepare(world, call, ON_A_KEY[call.operation])
    else:
        raise AwsError("UnknownOperationException", f"The strict AWS does not serve kms:{call.operation}")
    if call.operation == "ListAliases" and "KeyId" in call.params:
        operation = ON_A_KEY["ListKeyPolicies"]
        _use(call, keys.resolve(world, call, call.params["KeyId"], "kms:ListAliases", operation), {"KeyId"})
    reply = moto_base.dispatch(StrictKms, call)
    return _with_key_arn(call, reply) if call.operation in _ANSWERS_KEY_ARN and reply.status == 200 else reply


def _prepare(world: World, call: Call, operation: Operation) -> None:
    action = f"kms:{call.operation}"
    reference = call.params.get(operation.key_param)
    if call.operation == "Decrypt":
        key = _key_of_ciphertext(world, call, reference, action, operation)
    elif not isinstance(reference, str):
        raise _missing(operation.key_param)
    else:
        key = keys.resolve(world, call, reference, action, operation)
    if "AliasName" in call.params:
        _authorize_by_identity(
            world,
            call,
            action,
            f"arn:{call.partition}:kms:{call.region}:{call.caller.account}:{call.params['AliasName']}",
        )
    authorize(world, call, key, action, request_context.with_key(world, call, key, action, reference))
    _require_usable(key, operation)
    _use(call, key, {operation.key_param} - {"AliasName"})
    _end_dry_run(call, operation)


def _prepare_re_encrypt(world: World, call: Call) -> None:
    params = call.params
    destination_reference = params.get("DestinationKeyId")
    if not isinstance(destination_reference, str):
        raise _missing("DestinationKeyId")
    source = _key_of_ciphertext(world, call, params.get("SourceKeyId"), "kms:ReEncryptFrom", RE_ENCRYPT_SOURCE)
    destination = keys.resolve(world, call, destination_reference, "kms:ReEncryptTo", RE_ENCRYPT_DESTINATION)
    for key, action, reference in (
        (source, "kms:ReEncryptFrom", params.get("SourceKeyId")),
        (destination, "kms:ReEncryptTo", destination_reference),
    ):
        context = request_context.with_key(world, call, key, action, reference)
        authorize(world, call, key, action, context.extended({"kms:ReEncryptOnSameKey": source is destination}))
        _require_usable(key, RE_ENCRYPT_SOURCE)
    call.extra["source"] = source
    _use(call, destination, {"DestinationKeyId"})
    _end_dry_run(call, RE_ENCRYPT_SOURCE)


def _key_of_ciphertext(world: World, call: Call, reference: str | None, action: str, operation: Operation) -> Key:
    """The ciphertext names its key, so the request need not, not even across accounts (D§2.1)."""
    try:
        key_id = _deserialize_ciphertext_blob(base64.b64decode(call.params.get("CiphertextBlob") or "")).key_id
    except Exception as error:
        raise AwsError("InvalidCiphertextException", "") from error
    named = keys.by_id(world, call.region, key_id)
    if reference is not None and reference != key_id:
        key = keys.resolve(world, call, reference, action, operation)
        if key is not named:
            raise AwsError(
                "IncorrectKeyException",
                "The key ID in the request does not identify a CMK that can perform this operation.",
            )
        return key
    if named is None:
        raise denied(
            "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
            "or you are not allowed to access."
        )
    return named


def _authorize_by_identity(world: World, call: Call, action: str, resource: str) -> None:
    side = identity_side.evaluate(call.caller, action, resource, request_context.without_key(world, call))
    if not side.allows:
        raise denied(words.by_identity(call.caller, action, resource, side))


def _require_usable(key: Key, operation: Operation) -> None:
    key_state.require(key, operation.states)
    if operation.usages is not None and key.key_usage not in operation.usages:
        raise AwsError(
            "InvalidKeyUsageException", f"{key.arn} key usage is {key.key_usage} which is not valid for this operation."
        )


def _use(call: Call, key: Key, parameters: set[str]) -> None:
    call.account = key.account_id
    call.resource = key.arn
    call.extra["key"] = key
    call.extra["resolved"] = parameters


def _end_dry_run(call: Call, operation: Operation) -> None:
    """The call would have succeeded, and that is what this error says (D§4.6)."""
    if operation.dry_run and call.params.get("DryRun"):
        raise AwsError("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


def _with_key_arn(call: Call, reply: Reply) -> Reply:
    answer: dict[str, Any] = json.loads(reply.body)
    answer["KeyId"] = call.extra["key"].arn
    return Reply(reply.status, reply.headers, json.dumps(answer).encode())


def _missing(parameter: str) -> AwsError:
    name = parameter[0].lower() + parameter[1:]
    return AwsError(
        "ValidationException",
        f"1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null",
    )
