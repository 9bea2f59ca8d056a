"""ListSecrets and ListSecretVersionIds, in pages."""

import base64
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import AwsError
from . import describe, replication
from .authorize import authorize_by_identity
from .job import Job
from .model import Secret, Version

_PAGE = 100
Item = TypeVar("Item")
_DEFAULT_KEY = "DefaultEncryptionKey"


def list_secrets(job: Job) -> dict:
    authorize_by_identity(job.world, job.call, "ListSecrets", "*")
    secrets = [secret for secret in job.world.secrets.of(job.caller.account, job.call.region) if _shown(job, secret)]
    secrets.sort(key=lambda secret: secret.created, reverse=job.params.get("SortOrder", "desc") == "desc")
    page, more = _page(job, secrets)
    return {"SecretList": [describe.line(secret) for secret in page], **more}


def list_secret_version_ids(job: Job) -> dict:
    """Versions without labels are deprecated, and only shown to who asks for them (D§5.4)."""
    deprecated = bool(job.params.get("IncludeDeprecated"))
    page, more = _page(job, [v for v in job.secret.versions.values() if v.labels or deprecated])
    return {"ARN": job.secret.arn, "Name": job.secret.name, "Versions": [_version(v) for v in page], **more}


def _version(version: Version) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "VersionId": version.id,
        "CreatedDate": version.created.timestamp(),
        "KmsKeyIds": [_DEFAULT_KEY if version.sealed.default_key else version.sealed.key_arn],
    }
    if version.labels:
        entry["VersionStages"] = list(version.labels)
    if version.accessed:
        entry["LastAccessedDate"] = version.accessed.timestamp()
    return entry


def _shown(job: Job, secret: Secret) -> bool:
    if secret.deletion is not None and not job.params.get("IncludePlannedDeletion"):
        return False
    if not replication.is_visible(job.world, secret):
        return False
    filters = job.params.get("Filters") or []
    return all(_matches(secret, entry.get("Key", "all"), entry.get("Values", [])) for entry in filters)


_FILTERED: dict[str, Callable[[Secret], list[str]]] = {
    "name": lambda secret: [secret.name],
    "description": lambda secret: [secret.description],
    "tag-key": lambda secret: list(secret.tags),
    "tag-value": lambda secret: list(secret.tags.values()),
    "owning-service": lambda secret: [secret.owning_service or ""],
    "primary-region": lambda secret: [secret.primary_region or (secret.place.region if secret.replicas else "")],
}


def _matches(secret: Secret, key: str, values: list[str]) -> bool:
    """By prefix; `!` before a value turns it round."""
    fields = list(_FILTERED.values()) if key == "all" else [_FILTERED[key]]
    texts = [text for field in fields for text in field(secret)]

    def hit(value: str) -> bool:
        if value.startswith("!"):
            return not any(text.startswith(value[1:]) for text in texts)
        return any(text.startswith(value) for text in texts)

    return any(hit(value) for value in values)


def _page(job: Job, items: list[Item]) -> tuple[list[Item], dict[str, str]]:
    start = _start(job.params.get("NextToken"))
    end = start + min(job.params.get("MaxResults", _PAGE), job.world.options.page_size)
    more = {"NextToken": base64.b64encode(f"from {end}".encode()).decode()} if end < len(items) else {}
    return items[start:end], more


def _start(token: str | None) -> int:
    if token is None:
        return 0
    try:
        word, number = base64.b64decode(token, validate=True).decode().split()
        if word != "from":
            raise ValueError(word)
        return int(number)
    except ValueError as error:
        raise AwsError("InvalidNextTokenException", "Invalid pagination token.") from error
