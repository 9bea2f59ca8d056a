"""What a key's state forbids (D§1.6)."""

from moto.kms.models import Key

from ..errors import AwsError
from .operations import States

_USABLE = {"Enabled", "Updating"}
_WORDS = {
    "PendingDeletion": "pending deletion",
    "PendingReplicaDeletion": "pending replica deletion",
    "PendingImport": "pending import",
}


def require(key: Key, states: States) -> None:
    state = key.key_state
    match states:
        case States.ANY:
            return
        case States.USE:
            allowed = state in _USABLE
        case States.GRANT:
            allowed = state in _USABLE or state == "Unavailable"
        case States.MANAGE:
            allowed = state not in ("PendingDeletion", "PendingReplicaDeletion")
        case States.PENDING_DELETION:
            if state != "PendingDeletion":
                raise AwsError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
            return
    if allowed:
        return
    if state == "Disabled":
        raise AwsError("DisabledException", f"{key.arn} is disabled.")
    raise AwsError("KMSInvalidStateException", f"{key.arn} is {_WORDS.get(state, state.lower())}.")
