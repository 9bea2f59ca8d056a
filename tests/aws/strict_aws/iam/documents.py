"""Policy documents that IAM is given (D§4.1; grammar in `policy/grammar.py`)."""

from typing import Any

from ..call import Call
from ..errors import AwsError
from ..policy.grammar import IDENTITY_POLICY, TRUST_POLICY, Malformed, parse

_IDENTITY = {"PutRolePolicy", "PutUserPolicy", "PutGroupPolicy", "CreatePolicy", "CreatePolicyVersion"}


def check(call: Call) -> None:
    if call.operation not in _IDENTITY:
        return
    try:
        parse(call.params.get("PolicyDocument", ""), IDENTITY_POLICY)
    except Malformed as problem:
        raise _malformed(problem) from problem


def trust_document(text: str) -> dict[str, Any]:
    try:
        return parse(text, TRUST_POLICY)
    except Malformed as problem:
        raise _malformed(problem) from problem


def _malformed(problem: Malformed) -> AwsError:
    return AwsError("MalformedPolicyDocument", str(problem))
