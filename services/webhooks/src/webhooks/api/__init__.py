"""The public routes under ``/api/webhooks`` and ``/api/events``."""

from webhooks.api import endpoints, events, log, replays

# those with fixed names before those with an id in their place
ROUTERS = (log.router, endpoints.router, replays.router, events.router)
