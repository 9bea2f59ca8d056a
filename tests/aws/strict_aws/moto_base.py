"""How moto is entered: the call decides account and Region, not moto's guesses from headers."""

import io
import re
from typing import Any

from moto.core.request import Request as MotoRequest

from .call import Call
from .httpd import Reply

_CALL = "strict_aws.call"


class BoundToCall:
    """Mixin for moto's response classes: works on the account and Region of `Call`."""

    call: Call

    def setup_class(self, request: MotoRequest, *args: Any, **kwargs: Any) -> None:
        self.call = request.environ[_CALL]
        super().setup_class(request, *args, **kwargs)  # type: ignore[misc]

    def get_region_from_url(self, *_: Any) -> str:
        return self.call.region

    def get_access_key(self) -> str:
        return self.call.signature.access_key if self.call.signature else ""

    def get_current_account(self) -> str:
        return self.call.account

    def _authenticate_and_authorize_normal_action(self, resource: str = "*") -> None:
        """moto's own check, which the environment can switch on. It has been done, and better."""


class _ServerRequest(MotoRequest):
    from_wsgi_server = True


def dispatch(response_class: type, call: Call) -> Reply:
    status, headers, body = response_class.dispatch(_ServerRequest(_environ(call)))  # type: ignore[attr-defined]
    data = body.encode() if isinstance(body, str) else body
    return Reply(int(status), {k: str(v) for k, v in headers.items() if k.lower() not in _HOP_HEADERS}, data)


_HOP_HEADERS = {"status", "server", "date", "content-length"}


def _environ(call: Call) -> dict[str, Any]:
    request = call.request
    environ: dict[str, Any] = {
        _CALL: call,
        "REQUEST_METHOD": request.method,
        "PATH_INFO": "/",
        "QUERY_STRING": request.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "HTTP_HOST": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": request.headers.get("content-type", ""),
    }
    if target := request.headers.get("x-amz-target"):
        environ["HTTP_X_AMZ_TARGET"] = target
    return environ


_XML_CODE = re.compile(rb"<Code>([^<]+)</Code>")
_JSON_CODE = re.compile(rb'"__type":\s*"([^"]+)"')


def error_code(reply: Reply) -> str | None:
    """The wire code of an error reply; None for a success."""
    if reply.status < 400:
        return None
    found = _XML_CODE.search(reply.body) or _JSON_CODE.search(reply.body)
    return found[1].decode() if found else str(reply.status)
