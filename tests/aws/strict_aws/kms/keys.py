"""From a reference in a request to the key, wherever it lives.

Bare ids and aliases mean the caller's own account (D§2.5).
"""

import re
from collections.abc import Iterator

from moto.kms.models import Key, KmsBackend, kms_backends
from moto.kms.utils import RESERVED_ALIASES

from ..call import Call
from ..errors import AwsError
from ..partitions import partition_of_region
from ..policy.stored import StoredPolicy
from ..world import World
from . import managed_keys
from .denied import hidden
from .operations import Operation, Reach

_ARN = re.compile(
    r"^arn:(?P<partition>[a-z-]+):kms:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<kind>key|alias)/(?P<name>.+)$"
)
_KEY_ID = re.compile(r"^(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$", re.IGNORECASE)


def backend(account: str, region: str) -> KmsBackend:
    return kms_backends[account][region]


def resolve(world: World, call: Call, reference: str, action: str, operation: Operation) -> Key:
    found = _ARN.match(reference)
    if found is None:
        return _in_own_account(world, call, reference)
    if found["partition"] != call.partition or found["region"] != call.region:
        raise not_found(f"Invalid arn {found['region']}")
    account = found["account"]
    if account == call.caller.account:
        return _in_account(world, call, account, found["kind"], found["name"])
    # What KMS says of a foreign key must not tell whether it exists (D§9 row 2).
    if operation.reach is Reach.OWNER or world.account(call.partition, account) is None:
        raise hidden(call.caller, action)
    if found["kind"] == "alias" and operation.reach is not Reach.KEY_OR_ALIAS_ARN:
        raise not_found(f"Invalid keyId {reference}")
    if found["kind"] == "key" and found["name"] not in backend(account, call.region).keys:
        raise hidden(call.caller, action)
    return _in_account(world, call, account, found["kind"], found["name"])


def _in_own_account(world: World, call: Call, reference: str) -> Key:
    account = call.caller.account
    if reference.startswith("alias/"):
        return _in_account(world, call, account, "alias", reference.removeprefix("alias/"))
    if not _KEY_ID.match(reference):
        raise not_found(f"Invalid keyId '{reference}'")
    return _in_account(world, call, account, "key", reference)


def _in_account(world: World, call: Call, account: str, kind: str, name: str) -> Key:
    keys = backend(account, call.region)
    arn = f"arn:{call.partition}:kms:{call.region}:{account}:{kind}/{name}"
    if kind == "key":
        key = keys.keys.get(name)
        if key is None:
            raise not_found(f"Key '{arn}' does not exist")
        return key
    alias = f"alias/{name}"
    key_id = keys.get_key_id_from_alias(alias)
    if key_id is None:
        raise not_found(f"Alias {arn} is not found.")
    if alias in RESERVED_ALIASES:
        managed_keys.adopt(world, keys.keys[key_id], alias)
    return keys.keys[key_id]


def by_id(world: World, region: str, key_id: str) -> Key | None:
    """The key that a ciphertext names, in whichever account of the Region."""
    return next((key for key in _all(world, region) if key.id == key_id), None)


def _all(world: World, region: str) -> Iterator[Key]:
    for account in world.accounts_of(partition_of_region(region)):
        yield from backend(account.id, region).keys.values()


def policy_of(world: World, key: Key) -> StoredPolicy:
    if isinstance(key.policy, str):
        # moto's own default policy, on keys that moto makes itself.
        key.policy = managed_keys.default_policy(world, key)
    return key.policy


def not_found(message: str) -> AwsError:
    return AwsError("NotFoundException", message)
