"""What the handlers are given, and what they do alike."""

from typing import Annotated
from uuid import UUID

import asyncpg
from contracts.principal import Principal
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.http import state
from servicekit.vault import Vault

from webhooks.domain.endpoints import Endpoint, demand_sight
from webhooks.settings import WebhooksSettings
from webhooks.store import endpoints

Db = Annotated[Database, state("db")]
OnBus = Annotated[Bus, state("bus")]
Settings = Annotated[WebhooksSettings, state("settings")]
WithVault = Annotated[Vault, state("vault")]


async def seen(c: asyncpg.Connection, caller: Principal, id: UUID, *, lock: bool = False) -> Endpoint:
    """Read an endpoint that *caller* may manage.  Raises: WebhookMissing."""
    return demand_sight(await endpoints.find(c, caller.tenant, id, lock=lock), caller)
