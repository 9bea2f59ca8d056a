"""One AWS call as it came over the wire, before anybody knows whether it is allowed."""

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from .errors import AwsError
from .httpd import Request
from .partitions import DEFAULT_REGIONS, partition_of_arn, partition_of_region

if TYPE_CHECKING:
    from .identity.principal import Principal

_JSON_SERVICES = {"TrentService": "kms"}
_REGION_PATH = re.compile(r"^/_region/([a-z0-9-]+)(/.*)?$")
_AUTHORIZATION = re.compile(
    r"^AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,\s*"
    r"SignedHeaders=(?P<signed>[^,]+),\s*Signature=(?P<signature>[0-9a-f]{64})$"
)


@dataclass(frozen=True)
class Signature:
    """What the Authorization header claims (Signature Version 4)."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    token: str | None


@dataclass
class Call:
    request: Request
    service: str
    operation: str
    region: str
    params: dict[str, Any]
    json_protocol: bool
    signature: Signature | None
    principal: "Principal | None" = None
    # Whose state the call works on; moto looks there. Set by the service (for KMS: the key's owner).
    account: str = ""
    # The ARN that the call is about, for faults and the log.
    resource: str = "*"
    # Set where a service of AWS calls on the caller's behalf (`kms:ViaService`, D§2.4).
    via_service: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def partition(self) -> str:
        return partition_of_region(self.region)

    @property
    def charged_account(self) -> str:
        """Whose quota and counters the call goes to: the caller's, for a call without one that of the role it wants."""
        if self.principal is not None:
            return self.principal.account
        parts = str(self.params.get("RoleArn", "")).split(":")
        return parts[4] if len(parts) > 5 else ""

    @property
    def caller(self) -> "Principal":
        if self.principal is None:
            raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        return self.principal


def parse(request: Request) -> Call:
    signature = _signature(request)
    target = request.headers.get("x-amz-target")
    if target:
        prefix, _, operation = target.partition(".")
        service = _JSON_SERVICES.get(prefix, prefix)
        params = json.loads(request.body or b"{}")
    else:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True) or parse_qsl(request.query)
        params = dict(pairs)
        operation = params.get("Action", "")
        service = signature.service if signature else "sts"
    return Call(
        request=request,
        service=service,
        operation=operation,
        region=_region(request, signature, params),
        params=params,
        json_protocol=target is not None,
        signature=signature,
    )


def _signature(request: Request) -> Signature | None:
    found = _AUTHORIZATION.match(request.headers.get("authorization", ""))
    if not found:
        return None
    return Signature(
        access_key=found["key"],
        date=found["date"],
        region=found["region"],
        service=found["service"],
        signed_headers=tuple(found["signed"].split(";")),
        signature=found["signature"],
        token=request.headers.get("x-amz-security-token"),
    )


def _region(request: Request, signature: Signature | None, params: dict[str, Any]) -> str:
    if signature:
        return signature.region
    # AssumeRoleWithWebIdentity is not signed, so only the endpoint says where it goes. An endpoint of the form
    # http://host:port/_region/cn-north-1 does; without it the call is taken to be sent to the role's partition.
    by_path = _REGION_PATH.match(request.path)
    return by_path[1] if by_path else DEFAULT_REGIONS[partition_of_arn(params.get("RoleArn", ""))]
