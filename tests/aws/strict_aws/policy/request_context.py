"""The global condition keys of a call (D§2.4)."""

from datetime import UTC, datetime

from ..call import Call
from ..world import World
from .context import Context

_PRINCIPAL_TYPES = {"root": "Account", "user": "User", "role": "AssumedRole"}


def global_context(world: World, call: Call) -> Context:
    caller = call.caller
    account = world.account(caller.partition, caller.account)
    return Context(
        {
            "aws:PrincipalArn": caller.identity_arn,
            "aws:PrincipalAccount": caller.account,
            "aws:PrincipalOrgID": account.org if account else None,
            "aws:PrincipalType": _PRINCIPAL_TYPES[caller.kind],
            "aws:PrincipalIsAWSService": False,
            "aws:ViaAWSService": call.via_service is not None,
            "aws:userid": caller.user_id,
            "aws:username": caller.name if caller.kind == "user" else None,
            "aws:RequestedRegion": call.region,
            # Calls that a service makes for the caller come from AWS addresses (D§2.4: breaks aws:SourceIp).
            "aws:SourceIp": None if call.via_service else "127.0.0.1",
            "aws:SecureTransport": False,
            "aws:CurrentTime": datetime.now(UTC).isoformat(),
            "aws:EpochTime": int(datetime.now(UTC).timestamp()),
        }
    )
