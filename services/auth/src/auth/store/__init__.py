"""Every statement of the service. Each function takes the transaction that it is part of; none commits."""

from auth.store import access, accounts, activity, installation, invitations, keys, mails, sessions, teams, users

__all__ = ["access", "accounts", "activity", "installation", "invitations", "keys", "mails", "sessions", "teams", "users"]
