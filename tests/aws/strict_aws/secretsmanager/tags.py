"""TagResource and UntagResource."""

from typing import Any

from .authorize import authorize
from .errors import invalid_parameter
from .job import Job
from .model import Secret

MAX_TAGS = 50


def tag_resource(job: Job) -> dict:
    _change(job, job.secret, job.secret.tags | requested(job.params))
    return {}


def untag_resource(job: Job) -> dict:
    removed = job.params["TagKeys"]
    _change(job, job.secret, {key: value for key, value in job.secret.tags.items() if key not in removed})
    return {}


def requested(params: dict[str, Any]) -> dict[str, str]:
    tags = {tag.get("Key", ""): tag.get("Value", "") for tag in params.get("Tags") or []}
    if any(not key or key.lower().startswith("aws:") for key in tags):
        raise invalid_parameter("Tag keys must not be empty, and must not begin with the reserved prefix aws:.")
    _require_few(tags)
    return tags


def _change(job: Job, secret: Secret, tags: dict[str, str]) -> None:
    _require_few(tags)
    before, secret.tags = secret.tags, tags
    try:
        # A change of tags that would cost the caller its access is denied [B TagResource].
        authorize(job.world, job.call, secret, job.call.operation)
    except Exception:
        secret.tags = before
        raise


def _require_few(tags: dict[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise invalid_parameter(f"A secret can have at most {MAX_TAGS} tags.")
