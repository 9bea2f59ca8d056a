"""What a key policy must pass before KMS stores it (D§1.1, D§1.5)."""

import re
from typing import Any

from moto.kms.models import Key

from ..call import Call
from ..errors import AwsError
from ..policy.conditions import operator_parts
from ..policy.context import Context
from ..policy.document import statements_of
from ..policy.grammar import KEY_POLICY, Malformed, parse
from ..policy.propagation import propagated
from ..policy.stored import InvalidPrincipal, StoredPolicy
from ..world import World
from .authorize import decide

# The service's limit; the API model alone would let 131,072 characters through (D§1.1).
MAX_BYTES = 32_768
MAX_MODEL_CHARACTERS = 131_072
_CHARACTERS = re.compile("[\t\n\r -\u00ff]+")
_OVERLY_PERMISSIVE = ("kms:encryptioncontext:", "aws:requesttag/")


def accept(world: World, call: Call, key: Key, text: str, context: Context) -> StoredPolicy:
    """The policy as it will be stored, or the error that says why it is not."""
    _characters(text)
    if len(text.encode()) > MAX_BYTES:
        raise AwsError("LimitExceededException", f"The key policy exceeds the maximum size of {MAX_BYTES} bytes.")
    try:
        document = parse(text, KEY_POLICY)
    except Malformed as problem:
        raise _malformed(str(problem)) from problem
    _no_overly_permissive_condition(document)
    try:
        policy = StoredPolicy.pin(world, call.partition, document, propagated(world))
    except InvalidPrincipal as problem:
        # No hint which principal it was.
        raise _malformed("Policy contains a statement with one or more invalid principals.") from problem
    if not call.params.get("BypassPolicyLockoutSafetyCheck", False):
        _no_lockout(call, key, policy, context)
    return policy


def _characters(text: str) -> None:
    if not 1 <= len(text) <= MAX_MODEL_CHARACTERS:
        raise _invalid_parameter(f"Member must have length between 1 and {MAX_MODEL_CHARACTERS}")
    if not _CHARACTERS.fullmatch(text):
        raise _invalid_parameter(
            "Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"
        )


def _no_overly_permissive_condition(document: dict[str, Any]) -> None:
    """`ForAllValues` is true of a request without the key, so these conditions would bind nobody (D§1.5)."""
    for statement in statements_of(document):
        for operator, block in statement.get("Condition", {}).items():
            parts = operator_parts(operator)
            if parts is None or parts[0] != "forallvalues":
                continue
            for condition_key in block:
                if condition_key.lower().startswith(_OVERLY_PERMISSIVE):
                    raise _malformed(
                        f"OverlyPermissiveCondition: Using ForAllValues with {condition_key} is overly permissive."
                    )


def _no_lockout(call: Call, key: Key, policy: StoredPolicy, context: Context) -> None:
    """The caller must still be able to put a policy, by key policy and IAM together."""
    try:
        decide(call.caller, key, policy, "kms:PutKeyPolicy", context)
    except AwsError as refusal:
        raise _malformed("The new key policy will not allow you to update the key policy in the future.") from refusal


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocumentException", message)


def _invalid_parameter(constraint: str) -> AwsError:
    return AwsError(
        "ValidationException",
        f"1 validation error detected: Value at 'policy' failed to satisfy constraint: {constraint}",
    )
