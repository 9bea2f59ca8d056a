"""What there is of a secret: its metadata, its versions and their labels, its replicas."""

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .resource_policy import SecretPolicy

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
DEFAULT_KEY_ALIAS = "alias/aws/secretsmanager"


@dataclass(frozen=True)
class Place:
    """Where a name is unique."""

    account: str
    region: str
    name: str


@dataclass(frozen=True)
class KeyChoice:
    """The key that a request chose for a secret."""

    # What DescribeSecret echoes: as it was written, and nothing for `aws/secretsmanager` (D§5.5).
    given: str | None
    # The same as an ARN of key or alias; ids and aliases mean the account of who wrote them (D§2.5).
    reference: str

    @property
    def default(self) -> bool:
        return self.given is None


@dataclass(frozen=True)
class Sealed:
    """A value under a data key, and the data key under a KMS key."""

    box: bytes
    data_key: bytes
    key_arn: str
    default_key: bool


@dataclass
class Version:
    id: str
    sealed: Sealed
    binary: bool
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    labels: list[str] = field(default_factory=list)
    accessed: datetime | None = None


@dataclass
class Replica:
    """What the primary knows of one replica Region."""

    region: str
    key: KeyChoice
    started: datetime
    failure: str | None = None


@dataclass
class Rotation:
    lambda_arn: str
    rules: dict[str, Any]
    enabled: bool = True
    rotated: datetime | None = None


@dataclass
class Secret:
    place: Place
    arn: str
    key: KeyChoice
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    policy: "SecretPolicy | None" = None
    versions: dict[str, Version] = field(default_factory=dict)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    changed: datetime | None = None
    accessed: datetime | None = None
    # The end of the recovery window; None for a secret that is not scheduled for deletion.
    deletion: datetime | None = None
    owning_service: str | None = None
    rotation: Rotation | None = None
    # By Region, on the primary; the primary's Region, on a replica.
    replicas: dict[str, Replica] = field(default_factory=dict)
    primary_region: str | None = None

    @property
    def name(self) -> str:
        return self.place.name

    def labelled(self, label: str) -> Version | None:
        return next((version for version in self.versions.values() if label in version.labels), None)

    def snapshot(self) -> "Secret":
        """For reads that lag. Sealed values and policies never change, so copies may share them."""
        memo = {id(self.policy): self.policy} if self.policy else {}
        return copy.deepcopy(self, memo)
