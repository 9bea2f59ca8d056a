"""Refusals that several operations share, in AWS's words."""

from ..errors import AwsError


def not_found() -> AwsError:
    return AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")


def no_such_value(kind: str, which: str) -> AwsError:
    return AwsError(
        "ResourceNotFoundException", f"Secrets Manager can't find the specified secret value for {kind}: {which}"
    )


def invalid_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def invalid_request(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)
