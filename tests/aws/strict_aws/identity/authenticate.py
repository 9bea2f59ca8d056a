"""Access key → account and principal, or the error that AWS answers."""

from datetime import UTC, datetime

from ..call import Call, Signature
from ..errors import AwsError
from ..iam import entities
from ..world import Session, World
from . import sigv4
from .principal import Principal

# STS alone serves unsigned calls: the web identity token is the credential.
_UNSIGNED = {("sts", "AssumeRoleWithWebIdentity")}


def authenticate(world: World, call: Call) -> Principal | None:
    if (call.service, call.operation) in _UNSIGNED:
        return None
    signature = call.signature
    if signature is None:
        raise _error(call, "MissingAuthenticationToken", "Request is missing Authentication Token")
    secret, principal = _lookup(world, call, signature)
    if not sigv4.is_valid(call, signature, secret):
        raise _error(
            call,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )
    return principal


def _lookup(world: World, call: Call, signature: Signature) -> tuple[str, Principal]:
    session = world.sessions.get(signature.access_key)
    if session is not None:
        return session.secret, _session_principal(call, signature, session)
    found = _root(world, call, signature) or _user(world, call, signature)
    if found is None:
        raise _unknown(call)
    return found


def _session_principal(call: Call, signature: Signature, session: Session) -> Principal:
    principal = session.principal
    # A session is good in its own partition only (D§7), needs its token, and ends with its role.
    if principal.partition != call.partition or signature.token != session.token:
        raise _unknown(call)
    if session.expiration <= datetime.now(UTC):
        raise _error(call, "ExpiredToken", "The security token included in the request is expired")
    if entities.role_by_id(principal.partition, principal.account, principal.unique_id) is None:
        raise _unknown(call)
    return principal


def _root(world: World, call: Call, signature: Signature) -> tuple[str, Principal] | None:
    account = world.account_of_root_key(signature.access_key)
    if account is None or account.partition != call.partition:
        return None
    arn = f"arn:{account.partition}:iam::{account.id}:root"
    return account.root_secret, Principal(account.partition, account.id, "root", arn, arn, account.id)


def _user(world: World, call: Call, signature: Signature) -> tuple[str, Principal] | None:
    for account in world.accounts_of(call.partition):
        backend = entities.backend(call.partition, account.id)
        key = backend.access_keys.get(signature.access_key)
        if key is not None and key.status == "Active":
            # moto's key keeps the name that its user had before a rename.
            user = next(user for user in backend.users.values() if key in user.access_keys)
            principal = Principal(call.partition, account.id, "user", user.arn, user.arn, user.id)
            return key.secret_access_key, principal
    return None


def _unknown(call: Call) -> AwsError:
    return _error(call, "InvalidClientTokenId", "The security token included in the request is invalid.")


# The JSON services spell the same refusals differently (D§4.7 against D§6.3's codes).
_JSON_CODES = {
    "InvalidClientTokenId": "UnrecognizedClientException",
    "ExpiredToken": "ExpiredTokenException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
}


def _error(call: Call, code: str, message: str) -> AwsError:
    if call.json_protocol:
        return AwsError(_JSON_CODES[code], message, 400)
    return AwsError(code, message, 403)
