"""How a handler gets at what ``main`` has opened."""

from typing import Any, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

T = TypeVar("T")


def state(name: str) -> Any:
    """Hand what `create_app` was given under *name* to a handler.

    ``Db = Annotated[Database, state("db")]`` stands in the service's ``api``.
    """

    async def find(connection: HTTPConnection) -> Any:
        return getattr(connection.app.state, name)

    return Depends(find)
