"""The grammar of policy documents, by the kind of policy (D§1.1; G:iam reference_policies_grammar).

The texts are IAM's; KMS's differ in wording, and nothing may depend on them beyond what D§1.5 quotes.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from .conditions import operator_parts
from .document import as_list, statements_of


class Malformed(Exception):
    pass


@dataclass(frozen=True)
class Kind:
    principal: bool  # required, or else forbidden
    action: bool  # required
    resource: bool | None  # required; False: forbidden; None: may be absent
    # IAM wants alphanumeric Sids, unique in the document; key policies take spaces (D§1.1, D§4.1).
    strict_sids: bool


KEY_POLICY = Kind(principal=True, action=False, resource=None, strict_sids=False)
IDENTITY_POLICY = Kind(principal=False, action=True, resource=True, strict_sids=True)
SECRET_POLICY = Kind(principal=True, action=True, resource=True, strict_sids=True)
TRUST_POLICY = Kind(principal=True, action=True, resource=False, strict_sids=True)

_VERSIONS = ("2012-10-17", "2008-10-17")
_TOP = {"Version", "Id", "Statement"}
_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
_PRINCIPAL_TYPES = {"AWS", "Service", "Federated", "CanonicalUser"}
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_SID = re.compile(r"[A-Za-z0-9]*")


def parse(text: str, kind: Kind) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Malformed("This policy contains invalid Json") from error
    if not isinstance(document, dict):
        raise Malformed("Syntax errors in policy.")
    if unknown := document.keys() - _TOP:
        raise Malformed(f"Unknown field {sorted(unknown)[0]}")
    if document.get("Version") not in _VERSIONS or (kind is IDENTITY_POLICY and document["Version"] != _VERSIONS[0]):
        raise Malformed("Policy document must be version 2012-10-17 or greater.")
    if not isinstance(document.get("Id", ""), str):
        raise Malformed("Syntax errors in policy.")
    statements = statements_of(document)
    if not statements:
        raise Malformed("Missing required field Statement")
    for statement in statements:
        _statement(statement, kind)
    if kind.strict_sids:
        _sids([statement["Sid"] for statement in statements if statement.get("Sid")])
    return document


def _statement(statement: Any, kind: Kind) -> None:
    if not isinstance(statement, dict):
        raise Malformed("Syntax errors in policy.")
    if unknown := statement.keys() - _ELEMENTS:
        raise Malformed(f"Unknown field {sorted(unknown)[0]}")
    effect = statement.get("Effect")
    if effect is None:
        raise Malformed("Missing required field Effect")
    if not isinstance(effect, str) or effect.lower() not in ("allow", "deny"):
        raise Malformed(f"Invalid effect: {effect}")
    if not isinstance(statement.get("Sid", ""), str):
        raise Malformed("Syntax errors in policy.")
    for element in ("Principal", "Action", "Resource"):
        if element in statement and f"Not{element}" in statement:
            raise Malformed("Syntax errors in policy.")
    _principal_element(statement, kind)
    _actions(statement, kind)
    _resources(statement, kind)
    _conditions(statement.get("Condition", {}))


def _present(statement: dict[str, Any], element: str) -> Any:
    return statement.get(element, statement.get(f"Not{element}"))


def _principal_element(statement: dict[str, Any], kind: Kind) -> None:
    value = _present(statement, "Principal")
    if not kind.principal:
        if value is not None:
            raise Malformed("Policy document should not specify a principal.")
        return
    if value is None:
        raise Malformed("Missing required field Principal")
    if value == "*":
        return
    if not isinstance(value, dict) or not value or value.keys() - _PRINCIPAL_TYPES:
        raise Malformed("Invalid principal in policy")
    for names in value.values():
        if not as_list(names) or not all(isinstance(name, str) for name in as_list(names)):
            raise Malformed("Invalid principal in policy")


def _actions(statement: dict[str, Any], kind: Kind) -> None:
    value = _present(statement, "Action")
    if value is None:
        if kind.action:
            raise Malformed("Policy statement must contain actions.")
        return
    for action in _strings(value):
        if not _ACTION.fullmatch(action):
            raise Malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")


def _resources(statement: dict[str, Any], kind: Kind) -> None:
    value = _present(statement, "Resource")
    if value is None:
        if kind.resource:
            raise Malformed("Policy statement must contain resources.")
        return
    if kind.resource is False:
        raise Malformed("Has prohibited field Resource")
    for resource in _strings(value):
        if kind.resource and resource != "*" and not resource.startswith("arn:"):
            raise Malformed(f'Resource {resource} must be in ARN format or "*".')


def _strings(value: Any) -> list[str]:
    values = as_list(value)
    if not values or not all(isinstance(item, str) for item in values):
        raise Malformed("Syntax errors in policy.")
    return values


def _conditions(conditions: Any) -> None:
    if not isinstance(conditions, dict):
        raise Malformed("Syntax errors in policy.")
    for operator, block in conditions.items():
        if operator_parts(operator) is None:
            raise Malformed(f"Invalid Condition type : {operator}")
        if not isinstance(block, dict):
            raise Malformed("Syntax errors in policy.")
        for value in block.values():
            if not all(isinstance(item, str | bool | int | float) for item in as_list(value)):
                raise Malformed("Syntax errors in policy.")


def _sids(sids: list[str]) -> None:
    if not all(_SID.fullmatch(sid) for sid in sids):
        raise Malformed(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
            "[0-9A-Za-z]*"
        )
    if len(set(sids)) != len(sids):
        raise Malformed("Statement IDs (SID) in a single policy must be unique.")
