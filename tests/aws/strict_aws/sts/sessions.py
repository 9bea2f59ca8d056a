"""Temporary credentials of a role."""

import secrets
import string
from datetime import UTC, datetime, timedelta

from moto.iam.models import Role

from ..call import Call
from ..errors import AwsError
from ..identity.principal import Principal
from ..world import Session, World
from . import parameters

_KEY_CHARACTERS = string.ascii_uppercase + "234567"
_CHAINED_MAX = 3600


def duration_for(call: Call, role: Role, chained: bool) -> int:
    seconds = parameters.duration(call)
    if chained and seconds > _CHAINED_MAX:
        # A role's session opens the next role for an hour at most (D§6.4).
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        )
    if seconds > int(role.max_session_duration or 3600):
        raise AwsError(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return seconds


def open_session(world: World, call: Call, role: Role, name: str, seconds: int) -> tuple[str, Session]:
    """(access key id, session)."""
    principal = Principal(
        partition=role.partition,
        account=role.account_id,
        kind="role",
        arn=f"arn:{role.partition}:sts::{role.account_id}:assumed-role/{role.name}/{name}",
        identity_arn=role.arn,
        unique_id=role.id,
        session_name=name,
        session_policy=call.params.get("Policy"),
    )
    access_key = "ASIA" + "".join(secrets.choice(_KEY_CHARACTERS) for _ in range(16))
    session = Session(
        principal, secrets.token_urlsafe(30), secrets.token_urlsafe(180), datetime.now(UTC) + timedelta(seconds=seconds)
    )
    world.sessions[access_key] = session
    return access_key, session
