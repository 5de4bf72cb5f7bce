"""This service over HTTP: what a person wants of a number, what is set of it, and what waits to be sent.

The same routes stand under ``/api/devices`` and, for programs that know it so, under ``/api/whatsapp``.
"""

from fastapi import APIRouter

from device_worker.api import devices, history, pacing, sends, settings

router = APIRouter(tags=["devices"])
#: Documented once, under the name above.
alias = APIRouter(tags=["devices"], include_in_schema=False)

for _part in (devices.routes, settings.routes, pacing.routes, sends.routes, history.routes):
    router.include_router(_part, prefix="/api/devices")
    alias.include_router(_part, prefix="/api/whatsapp")

__all__ = ["alias", "router"]
