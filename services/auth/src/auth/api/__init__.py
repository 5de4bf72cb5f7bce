"""The service's HTTP routes."""

from fastapi import APIRouter

from auth.api import accounts, activity, invitations, jwks, keys, queues, resets, signin, teams, tickets, users

people = APIRouter()
people.include_router(users.everybody, prefix="/api/users")
# where they were first; nobody who calls them there has to change
people.include_router(users.everybody, prefix="/api/auth/users", include_in_schema=False)

ROUTERS = (
    signin.router,
    tickets.router,
    resets.router,
    users.router,
    people,
    teams.router,
    invitations.router,
    invitations.preview,
    keys.router,
    accounts.router,
    activity.router,
    accounts.ops,
    queues.router,
    jwks.router,
)

__all__ = ["ROUTERS"]
