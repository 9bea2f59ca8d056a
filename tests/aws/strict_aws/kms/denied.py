"""KMS's own refusals (D§9)."""

from ..errors import AwsError
from ..identity.principal import Principal


def hidden(caller: Principal, action: str) -> AwsError:
    """To other accounts KMS never says which of the three it was (D§9 row 2)."""
    return AwsError(
        "AccessDeniedException",
        f"User: {caller.arn} is not authorized to perform: {action} on this resource because the resource does not "
        "exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies "
        "access",
    )


def denied(message: str) -> AwsError:
    return AwsError("AccessDeniedException", message)
