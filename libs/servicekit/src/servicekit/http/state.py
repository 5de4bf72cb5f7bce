"""How a handler gets at what ``main`` has opened."""

from typing import Any, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

T = TypeVar("T")


def state(name: str) -> Any:
    """Give handlers what `create_app` got as ``state={name: …}``: ``Db = Annotated[Database, state("db")]``."""

    async def find(connection: HTTPConnection) -> Any:
        return getattr(connection.app.state, name)

    return Depends(find)
