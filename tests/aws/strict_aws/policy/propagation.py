"""Roles and users reach other services some time after IAM made them; until then they are no principals (D§1.5)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from ..world import World
from .stored import Visible


def propagated(world: World) -> Visible:
    def visible(entity: Any) -> bool:
        created = entity.create_date.replace(tzinfo=UTC)
        return created + timedelta(milliseconds=world.options.principal_lag_ms) <= datetime.now(UTC)

    return visible
