"""All secrets, by account, Region and name, and the forms in which requests name them."""

import re
import secrets as randomness
import string
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from .model import Place, Secret

_ARN = re.compile(
    r"^arn:(?P<partition>[a-z-]+):secretsmanager:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):secret:(?P<rest>.+)$"
)
_SUFFIX_CHARACTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class SecretArn:
    partition: str
    region: str
    account: str
    # The name, with its random suffix if the ARN is whole.
    rest: str


def parse_arn(text: str) -> SecretArn | None:
    found = _ARN.match(text)
    return SecretArn(**found.groupdict()) if found else None


def new_arn(partition: str, place: Place) -> str:
    """The suffix is random, so that policies with the ARN of a deleted secret do not open its successor (D§5.7)."""
    suffix = "".join(randomness.choice(_SUFFIX_CHARACTERS) for _ in range(6))
    return f"arn:{partition}:secretsmanager:{place.region}:{place.account}:secret:{place.name}-{suffix}"


class Secrets:
    def __init__(self) -> None:
        self._secrets: dict[Place, Secret] = {}
        # When a secret of the name was deleted without recovery.
        self._gone: dict[Place, datetime] = {}

    def get(self, place: Place) -> Secret | None:
        return self._secrets.get(place)

    def add(self, secret: Secret) -> None:
        self._secrets[secret.place] = secret

    def remove(self, place: Place) -> None:
        if self._secrets.pop(place, None):
            self._gone[place] = datetime.now(UTC)

    def gone_since(self, place: Place) -> datetime | None:
        return self._gone.get(place)

    def by_arn(self, arn: str) -> Secret | None:
        parts = parse_arn(arn)
        found = self.named(parts.account, parts.region, arn) if parts else None
        return found if found and found.arn == arn else None

    def named(self, account: str, region: str, reference: str) -> Secret | None:
        """By name, ARN, or ARN without its suffix."""
        parts = parse_arn(reference)
        if parts is None:
            return self.get(Place(account, region, reference))
        if (parts.account, parts.region) != (account, region):
            return None
        whole = self.get(Place(account, region, parts.rest[:-7]))
        if whole is not None and whole.arn == reference:
            return whole
        return self.get(Place(account, region, parts.rest))

    def of(self, account: str, region: str) -> list[Secret]:
        return [s for place, s in self._secrets.items() if (place.account, place.region) == (account, region)]

    def primary_of(self, replica: Secret) -> Secret | None:
        return self.get(replace(replica.place, region=replica.primary_region)) if replica.primary_region else None
