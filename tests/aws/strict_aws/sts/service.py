"""STS on moto's wire protocol."""

from typing import Any

from moto.core.responses import ActionResult
from moto.iam.models import Role
from moto.sts.responses import TokenResponse

from .. import moto_base
from ..call import Call
from ..errors import AwsError
from ..httpd import Reply
from ..iam import entities
from ..moto_base import BoundToCall
from ..world import Session, World
from . import parameters, sessions, trust, web_identity

_SERVED = {"AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"}


def named_resource(call: Call) -> str:
    return call.params.get("RoleArn", "*")


def serve(world: World, call: Call) -> Reply:
    if call.operation not in _SERVED:
        raise AwsError("InvalidAction", f"The strict AWS does not serve sts:{call.operation}")
    call.extra["world"] = world
    call.account = call.principal.account if call.principal else "000000000000"
    return moto_base.dispatch(StrictSts, call)


class StrictSts(BoundToCall, TokenResponse):
    @property
    def world(self) -> World:
        return self.call.extra["world"]

    def get_caller_identity(self) -> ActionResult:
        caller = self.call.caller
        return ActionResult({"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn})

    def assume_role(self) -> ActionResult:
        call = self.call
        arn, name, external_id = parameters.role_arn(call), parameters.session_name(call), parameters.external_id(call)
        parameters.duration(call)
        role = self._role(arn)
        if role is None:
            raise trust.refused(call, arn)
        trust.require_assume_role(self.world, call, role, external_id, name)
        seconds = sessions.duration_for(call, role, chained=call.caller.kind == "role")
        return self._answer(role, name, *sessions.open_session(self.world, call, role, name, seconds))

    def assume_role_with_web_identity(self) -> ActionResult:
        call = self.call
        arn, name = parameters.role_arn(call), parameters.session_name(call)
        role = self._role(arn)
        if role is None:
            raise web_identity.refused()
        claims = web_identity.require(self.world, role, call.params.get("WebIdentityToken", ""))
        seconds = sessions.duration_for(call, role, chained=False)
        subject = {"SubjectFromWebIdentityToken": claims["sub"], "Provider": claims["iss"]}
        return self._answer(role, name, *sessions.open_session(self.world, call, role, name, seconds), subject)

    def _role(self, arn: str) -> Role | None:
        """The role, if it exists in an account of the partition that was called (D§7: nothing crosses)."""
        parts = entities.parse_arn(arn)
        if parts is None or parts.kind != "role" or parts.partition != self.call.partition:
            return None
        if self.world.account(parts.partition, parts.account) is None:
            return None
        found = entities.by_arn(arn)
        return found if isinstance(found, Role) else None

    def _answer(
        self, role: Role, name: str, access_key: str, session: Session, more: dict[str, Any] | None = None
    ) -> ActionResult:
        return ActionResult(
            {
                "Credentials": {
                    "AccessKeyId": access_key,
                    "SecretAccessKey": session.secret,
                    "SessionToken": session.token,
                    "Expiration": session.expiration,
                },
                "AssumedRoleUser": {"AssumedRoleId": f"{role.id}:{name}", "Arn": session.principal.arn},
                "PackedPolicySize": 6,
                **(more or {}),
            }
        )
