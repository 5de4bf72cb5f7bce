"""Which service answers which public path, and who may call it without a token."""

#: The longest matching prefix wins; a prefix matches whole path segments.
PREFIXES: dict[str, str] = {
    "/api/auth": "auth",
    "/api/account": "auth",
    "/api/users": "auth",
    "/api/teams": "auth",
    "/api/invitations": "auth",
    "/api/keys": "auth",
    "/api/activity": "auth",
    "/api/ops/accounts": "auth",
    "/api/ops/queues": "auth",
    "/api/ops/dead-letters": "auth",
    "/.well-known/jwks.json": "auth",
    "/api/devices": "device-worker",
    "/api/whatsapp": "device-worker",
    "/api/ops/workers": "device-worker",
    "/api/ops/shards": "device-worker",
    "/api/chats": "conversations",
    "/api/messages": "conversations",
    "/api/media": "conversations",
    "/api/contacts": "conversations",
    "/api/contact-states": "conversations",
    "/api/contact-fields": "conversations",
    "/api/tags": "conversations",
    "/api/replies": "conversations",
    "/api/hours": "conversations",
    "/api/assignment": "conversations",
    "/api/dashboard": "conversations",
    "/api/search": "conversations",
    "/api/privacy": "conversations",
    "/api/bot": "bot",
    "/api/webhooks": "webhooks",
    "/api/events": "webhooks",
    "/api/presence": "realtime",
    "/api/stream": "realtime",
    "/api/leads": "pipeline",
    "/api/pipeline": "pipeline",
    "/api/pipelines": "pipeline",
    "/api/tasks": "pipeline",
    "/api/automations": "pipeline",
    "/ws": "realtime",
}

#: The paths that need no token: what they need instead they check themselves.
ANONYMOUS: frozenset[str] = frozenset(
    {
        "/api/auth/register",
        "/api/auth/login",
        "/api/auth/refresh",
        "/api/auth/logout",
        "/api/auth/password/forgot",
        "/api/auth/password/reset",
        "/api/auth/invitation",
        "/.well-known/jwks.json",
        "/api/media/file",
        "/ws",
    }
)

#: Services with public HTTP routes, in the order in which their documentation is merged.
PUBLIC: tuple[str, ...] = ("auth", "device-worker", "conversations", "pipeline", "bot", "webhooks")


def owner(path: str) -> str | None:
    """Name the service that answers *path*; None when nobody does."""
    while path:
        if path in PREFIXES:
            return PREFIXES[path]
        path = path.rpartition("/")[0]
    return None
