"""How a journey that is about something else comes in."""

import secrets

from clarin.client import Client
from clarin.testing import System
from playwright.async_api import BrowserContext

PASSWORD = "un-caballo-muy-correcto"


async def enter(context: BrowserContext, system: System, client: Client, *, role: str = "admin") -> str:
    """The browser is signed in as a new person of the client's account; their address."""
    email = f"eva-{secrets.token_hex(5)}@example.com"
    await client.post("/api/auth/users", {"email": email, "name": "Eva Ríos", "role": role, "password": PASSWORD})
    body = {"email": email, "password": PASSWORD, "session": "cookie"}
    answer = await context.request.post(f"{system.url}/api/auth/login", data=body)
    assert answer.ok
    return email
