"""AssumeRoleWithWebIdentity: the token's signature, issuer, audience and expiry, and what the role's trust asks."""

from typing import Any

import jwt
from moto.iam.models import OpenIDConnectProvider, Role

from ..errors import AwsError
from ..iam import entities
from ..policy.context import Context
from ..world import World
from . import trust

_ACTION = "sts:AssumeRoleWithWebIdentity"


def require(world: World, role: Role, token: str) -> dict[str, Any]:
    """The claims of the token, if it opens the role."""
    provider, claims = _verified(world, role, token)
    context = Context(
        {
            f"{provider.url}:sub": claims.get("sub"),
            f"{provider.url}:aud": claims.get("aud"),
            "aws:ResourceAccount": role.account_id,
        }
    )
    covering = [
        statement
        for statement in trust.statements(role)
        if provider.arn in (statement.principals or {}).get("Federated", ())
        and statement.covers(_ACTION, role.arn, context)
    ]
    if not covering or not all(statement.allows for statement in covering):
        raise refused()
    return claims


def _verified(world: World, role: Role, token: str) -> tuple[OpenIDConnectProvider, dict[str, Any]]:
    try:
        header = jwt.get_unverified_header(token)
        issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
    except (jwt.PyJWTError, KeyError) as error:
        raise _invalid(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
        ) from error
    provider = _provider(role, issuer)
    if provider is None:
        raise _invalid(f"No OpenIDConnect provider found in your account for {issuer}")
    keys = world.jwks.get(provider.url)
    if keys is None:
        raise _invalid(
            "Couldn't retrieve verification key from your identity provider, please reference "
            "AssumeRoleWithWebIdentity documentation for requirements"
        )
    key = next((k for k in jwt.PyJWKSet.from_dict(keys).keys if k.key_id == header.get("kid")), None)
    if key is None:
        raise _invalid("No matching key found in the issuer's JWKS")
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=["RS256", "ES256"],
            audience=provider.client_id_list,
            options={"require": ["exp", "iat", "sub", "aud"]},
        )
    except jwt.ExpiredSignatureError as error:
        raise AwsError(
            "ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time"
        ) from error
    except jwt.InvalidAudienceError as error:
        raise _invalid("Incorrect token audience") from error
    except jwt.PyJWTError as error:
        raise _invalid(str(error)) from error
    return provider, claims


def _provider(role: Role, issuer: str) -> OpenIDConnectProvider | None:
    url = issuer.removeprefix("https://")
    providers = entities.backend(role.partition, role.account_id).open_id_providers.values()
    return next((provider for provider in providers if provider.url == url), None)


def refused() -> AwsError:
    return AwsError("AccessDenied", f"Not authorized to perform {_ACTION}", 403)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidIdentityToken", message)
