"""What the resource's own policy says about a caller (D§1.3)."""

from collections.abc import Iterable

from ..identity.principal import Principal
from .context import Context
from .document import Statement
from .principals import Named, names


def evaluate(
    statements: Iterable[Statement], caller: Principal, action: str, arn: str, context: Context
) -> tuple[bool, Named]:
    """Whether it denies, and how precisely it allows."""
    denies, named = False, Named.NOT
    for statement in statements:
        by = names(statement, caller)
        if by and statement.covers(action, arn, context):
            if statement.allows:
                named = max(named, by)
            else:
                denies = True
    return denies, named
