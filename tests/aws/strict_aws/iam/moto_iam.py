"""moto's IAM with the parts replaced that are not AWS's."""

from typing import Any, ClassVar
from urllib.parse import quote, unquote

from moto.core.responses import ActionResult, EmptyResult
from moto.core.serialize import never_return, return_if_not_empty
from moto.iam.models import User
from moto.iam.responses import IamResponse
from moto.iam.utils import generate_access_key_id_from_account_id

from ..errors import AwsError
from ..moto_base import BoundToCall
from ..policy.stored import InvalidPrincipal, StoredPolicy
from ..world import World
from . import paging
from .documents import trust_document


def _encoded(document: Any) -> Any:
    """Policy documents leave IAM URL-encoded by RFC 3986: a space is %20, a slash is %2F (D§4.3)."""
    if isinstance(document, StoredPolicy):
        document = document.render()
    return quote(document, safe="") if isinstance(document, str) else document


def _encoded_again(document: Any) -> Any:
    """moto encodes the documents of GetAccountAuthorizationDetails itself, but leaves slashes as they are."""
    return quote(unquote(document), safe="") if isinstance(document, str) else document


_DETAILS = "GetAccountAuthorizationDetailsResponse"


class StrictIam(BoundToCall, IamResponse):
    RESPONSE_KEY_PATH_TO_TRANSFORMER: ClassVar = {
        **IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER,
        "CreateUserResponse.User.PermissionsBoundary": return_if_not_empty,
        "GetUserResponse.User.PermissionsBoundary": return_if_not_empty,
        "ListUsersResponse.Users.User.PermissionsBoundary": never_return,
        f"{_DETAILS}.UserDetailList.UserDetail.PermissionsBoundary": return_if_not_empty,
        f"{_DETAILS}.RoleDetailList.RoleDetail.PermissionsBoundary": return_if_not_empty,
        "CreateRoleResponse.Role.AssumeRolePolicyDocument": _encoded,
        "GetRoleResponse.Role.AssumeRolePolicyDocument": _encoded,
        "ListRolesResponse.Roles.Role.AssumeRolePolicyDocument": _encoded,
        "GetRolePolicyResponse.PolicyDocument": _encoded,
        "GetUserPolicyResponse.PolicyDocument": _encoded,
        "GetGroupPolicyResponse.PolicyDocument": _encoded,
        "GetPolicyVersionResponse.PolicyVersion.Document": _encoded,
        f"{_DETAILS}.RoleDetailList.RoleDetail.AssumeRolePolicyDocument": _encoded,
        f"{_DETAILS}.RoleDetailList.RoleDetail.RolePolicyList.PolicyDetail.PolicyDocument": _encoded_again,
        f"{_DETAILS}.UserDetailList.UserDetail.UserPolicyList.PolicyDetail.PolicyDocument": _encoded_again,
        f"{_DETAILS}.GroupDetailList.GroupDetail.GroupPolicyList.PolicyDetail.PolicyDocument": _encoded_again,
        f"{_DETAILS}.Policies.ManagedPolicyDetail.PolicyVersionList.PolicyVersion.Document": _encoded_again,
    }

    @property
    def world(self) -> World:
        return self.call.extra["world"]

    def serialized(self, action_result: ActionResult) -> Any:
        return super().serialized(paging.page(self.world, self.call, action_result))

    def _get_param(self, param_name: str, if_none: Any = None) -> Any:
        # moto pages some lists, some wrongly and some not at all; it is made to answer all of every list.
        if param_name == "MaxItems":
            return 1_000_000
        if param_name == "Marker":
            return if_none
        return super()._get_param(param_name, if_none)

    def create_role(self) -> ActionResult:
        trust = self._pinned_trust(self._get_param("AssumeRolePolicyDocument"))
        result = super().create_role()
        result.result["Role"].assume_role_policy_document = trust
        return result

    def update_assume_role_policy(self) -> ActionResult:
        trust = self._pinned_trust(self._get_param("PolicyDocument"))
        self.backend.get_role(self._get_param("RoleName")).assume_role_policy_document = trust
        return EmptyResult()

    def _pinned_trust(self, text: str) -> StoredPolicy:
        try:
            return StoredPolicy.pin(self.world, self.partition, trust_document(text))
        except InvalidPrincipal as problem:
            raise AwsError(
                "MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{problem.principal}"'
            ) from problem

    def create_user(self) -> ActionResult:
        result = super().create_user()
        user = result.result["User"]
        # moto's ids of users and groups have neither AWS's form nor its prefix, which tells what they are (D§1.2).
        user.id = generate_access_key_id_from_account_id(self.current_account, "AIDA", 21)
        _bound(user, self._get_param("PermissionsBoundary"))
        return result

    def create_group(self) -> ActionResult:
        result = super().create_group()
        result.result["Group"].id = generate_access_key_id_from_account_id(self.current_account, "AGPA", 21)
        return result

    def put_user_permissions_boundary(self) -> ActionResult:
        _bound(self.backend.get_user(self._get_param("UserName")), self._get_param("PermissionsBoundary"))
        return EmptyResult()

    def delete_user_permissions_boundary(self) -> ActionResult:
        _bound(self.backend.get_user(self._get_param("UserName")), None)
        return EmptyResult()

    def get_user(self) -> ActionResult:
        return ActionResult({"User": self.backend.get_user(self._get_param("UserName") or self.call.caller.name)})

    def attach_role_policy(self) -> ActionResult:
        return EmptyResult() if self._attached("RoleName") else super().attach_role_policy()

    def attach_user_policy(self) -> ActionResult:
        return EmptyResult() if self._attached("UserName") else super().attach_user_policy()

    def _attached(self, name_parameter: str) -> bool:
        """A second attachment changes nothing; moto would count it twice."""
        name = self._get_param(name_parameter)
        holder = self.backend.get_role(name) if name_parameter == "RoleName" else self.backend.get_user(name)
        return self._get_param("PolicyArn") in holder.managed_policies


def _bound(user: User, arn: str | None) -> None:
    """moto has boundaries for roles only."""
    user.permissions_boundary_arn = arn
    user.permissions_boundary = (
        {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn} if arn else None
    )
