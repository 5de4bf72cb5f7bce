"""The service's HTTP routes."""

from auth.api import keys, signin, tickets, users

ROUTERS = (signin.router, tickets.router, users.router, keys.router)

__all__ = ["ROUTERS"]
