"""Every statement of the service. Each function takes the transaction that it is part of; none commits."""

from auth.store import installation, sessions, users

__all__ = ["installation", "sessions", "users"]
