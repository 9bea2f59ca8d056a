"""Lookups in moto's IAM of one account and partition."""

import re
from dataclasses import dataclass

from moto.iam.models import Group, IAMBackend, ManagedPolicy, Role, User, iam_backends

from ..identity.principal import Principal

_ENTITY_ARN = re.compile(
    r"^arn:(?P<partition>[a-z-]+):iam::(?P<account>\d{12}):(?P<kind>role|user)(?P<path>/(?:.*/)?)(?P<name>[^/]+)$"
)


@dataclass(frozen=True)
class EntityArn:
    partition: str
    account: str
    kind: str
    path: str
    name: str


def parse_arn(arn: str) -> EntityArn | None:
    found = _ENTITY_ARN.match(arn)
    return EntityArn(**found.groupdict()) if found else None


def backend(partition: str, account: str) -> IAMBackend:
    return iam_backends[account][partition]


def role(partition: str, account: str, name: str) -> Role | None:
    return next((r for r in backend(partition, account).roles.values() if r.name == name), None)


def role_by_id(partition: str, account: str, role_id: str) -> Role | None:
    return backend(partition, account).roles.get(role_id)


def user(partition: str, account: str, name: str) -> User | None:
    return backend(partition, account).users.get(name)


def user_by_id(partition: str, account: str, user_id: str) -> User | None:
    return next((u for u in backend(partition, account).users.values() if u.id == user_id), None)


def by_arn(arn: str) -> Role | User | None:
    """The role or user with exactly this ARN: a wrong path or other case names nobody (D§1.2)."""
    parts = parse_arn(arn)
    if parts is None:
        return None
    lookup = role if parts.kind == "role" else user
    found = lookup(parts.partition, parts.account, parts.name)
    return found if found is not None and found.arn == arn else None


def by_id(partition: str, account: str, unique_id: str) -> Role | User | None:
    lookup = role_by_id if unique_id.startswith("AROA") else user_by_id
    return lookup(partition, account, unique_id)


def _entity(principal: Principal) -> Role | User | None:
    return by_id(principal.partition, principal.account, principal.unique_id)


def identity_policies(principal: Principal) -> list[str]:
    """The texts of all policies that give the principal something: inline, attached, and those of its groups."""
    entity = _entity(principal)
    if entity is None:
        return []
    holders: list[Role | User | Group] = [entity]
    if isinstance(entity, User):
        groups = backend(principal.partition, principal.account).groups.values()
        holders += [group for group in groups if entity in group.users]
    texts: list[str] = []
    for holder in holders:
        texts += holder.policies.values()
        texts += [default_version(policy) for policy in holder.managed_policies.values()]
    return texts


def boundary_policy(principal: Principal) -> str | None:
    """The text of the permissions boundary. One whose policy was deleted allows nothing."""
    arn = boundary_arn(_entity(principal))
    if arn is None:
        return None
    policy = backend(principal.partition, principal.account).managed_policies.get(arn)
    return default_version(policy) if policy else '{"Statement": []}'


def boundary_arn(entity: Role | User | None) -> str | None:
    return getattr(entity, "permissions_boundary_arn", None)


def default_version(policy: ManagedPolicy) -> str:
    return next(v.document for v in policy.versions if v.version_id == policy.default_version_id)
