"""One call at work: what every operation needs to know."""

from dataclasses import dataclass
from typing import Any

from ..call import Call
from ..identity.principal import Principal
from ..world import World
from .caller_kms import CallerKms
from .errors import not_found
from .model import Secret


@dataclass
class Job:
    world: World
    call: Call
    # Found, authorized and in a state that the operation works on; for operations that name no secret there is none.
    found: Secret | None = None

    @property
    def secret(self) -> Secret:
        if self.found is None:
            raise LookupError(f"{self.call.operation} has no secret")
        return self.found

    @property
    def seen(self) -> Secret:
        """The secret as a read sees it that may lag behind writes."""
        seen = self.world.lag.secret_to_read(self.secret)
        if seen is None:
            raise not_found()
        return seen

    @property
    def params(self) -> dict[str, Any]:
        return self.call.params

    @property
    def caller(self) -> Principal:
        return self.call.caller

    @property
    def kms(self) -> CallerKms:
        return self.kms_in(self.call.region)

    def kms_in(self, region: str) -> CallerKms:
        return CallerKms(self.world, self.call, region)
