"""The way of a call: who, faults, quotas, the service's answer, the journal."""

import sys
import traceback
from types import ModuleType

from . import call as calls
from .admin import Admin
from .call import Call
from .errors import AwsError, render
from .faults import Faults
from .httpd import ConnectionCut, Reply, Request
from .iam import service as iam
from .identity.authenticate import authenticate
from .journal import Journal
from .kms import service as kms
from .moto_base import error_code
from .secretsmanager import service as secretsmanager
from .sts import service as sts
from .throttling import Throttling
from .world import World

# A further service is one more entry: a module with `named_resource(call)` and `serve(world, call)`.
_SERVICES: dict[str, ModuleType] = {"iam": iam, "kms": kms, "secretsmanager": secretsmanager, "sts": sts}


class App:
    def __init__(self, world: World):
        self._world = world
        self._faults = Faults()
        self._throttling = Throttling()
        self._journal = Journal()
        self._admin = Admin(world, self._faults, self._throttling, self._journal)

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/_strict/"):
            return self._admin.answer(request)
        try:
            call = calls.parse(request)
        except ValueError:
            return render(AwsError("SerializationException", "The request could not be read"), json_protocol=True)
        try:
            reply = self._answer_call(call)
        except AwsError as error:
            reply = render(error, call.json_protocol)
        except ConnectionCut:
            self._record(call, "ConnectionCut", 0)
            raise
        except Exception:
            # moto's own mistakes look like AWS's; the trace tells whoever runs the tests.
            traceback.print_exc(file=sys.stderr)
            reply = render(
                AwsError("InternalFailure", "The strict AWS failed; see its stderr", 500), call.json_protocol
            )
        self._record(call, error_code(reply) or "OK", reply.status)
        return reply

    def _answer_call(self, call: Call) -> Reply:
        service = _SERVICES.get(call.service)
        if service is None:
            raise AwsError("UnknownOperationException", f"The strict AWS does not serve {call.service!r}")
        with self._world.lock:
            call.principal = authenticate(self._world, call)
        call.resource = service.named_resource(call)
        struck = self._faults.take(call)
        if struck and not struck[0].after_call:
            # Outside of the lock: a call that hangs holds up nobody else.
            struck[0].strike(struck[1])
        self._throttling.admit(call)
        reply = self._serve(service, call)
        if struck and struck[0].after_call:
            struck[0].strike(struck[1])
        return reply

    def _serve(self, service: ModuleType, call: Call) -> Reply:
        with self._world.lock:
            return service.serve(self._world, call)

    def _record(self, call: Call, result: str, status: int) -> None:
        caller = call.principal
        self._journal.record(
            account=call.charged_account,
            partition=call.partition,
            principal=caller.arn if caller else "",
            service=call.service,
            operation=call.operation,
            region=call.region,
            resource=call.resource,
            result=result,
            status=status,
        )
