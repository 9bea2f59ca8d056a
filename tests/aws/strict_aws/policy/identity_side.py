"""What the caller's own account lets it do: identity policies, permissions boundary, session policy (D§1.3)."""

from dataclasses import dataclass

from ..iam import entities
from ..identity.principal import Principal
from .context import Context
from .document import Statement, any_covers, compile_text

Documents = list[tuple[Statement, ...]]


@dataclass(frozen=True)
class IdentitySide:
    """`denied_by` is the kind of policy with an explicit deny; the rest says which layer has an Allow."""

    denied_by: str | None
    policies_allow: bool
    boundary_allows: bool
    session_allows: bool

    @property
    def capped_by(self) -> str | None:
        """The layer whose missing Allow limits the caller whatever its policies say; None where there is none."""
        if not self.boundary_allows:
            return "permissions boundary"
        return None if self.session_allows else "session policy"

    @property
    def allows(self) -> bool:
        return self.denied_by is None and self.policies_allow and self.capped_by is None


def evaluate(principal: Principal, action: str, resource: str, context: Context) -> IdentitySide:
    if principal.kind == "root":
        return IdentitySide(None, True, True, True)
    policies = [compile_text(text) for text in entities.identity_policies(principal)]
    boundary_text = entities.boundary_policy(principal)
    boundary = [compile_text(boundary_text)] if boundary_text is not None else []
    session = [compile_text(principal.session_policy)] if principal.session_policy is not None else []
    denied_by = None
    for kind, documents in (
        ("an identity-based policy", policies),
        ("a permissions boundary", boundary),
        ("a session policy", session),
    ):
        if _any(documents, False, action, resource, context):
            denied_by = kind
            break
    return IdentitySide(
        denied_by=denied_by,
        policies_allow=_any(policies, True, action, resource, context),
        boundary_allows=not boundary or _any(boundary, True, action, resource, context),
        session_allows=not session or _any(session, True, action, resource, context),
    )


def _any(documents: Documents, allows: bool, action: str, resource: str, context: Context) -> bool:
    return any(any_covers(statements, allows, action, resource, context) for statements in documents)
