"""The public routes under ``/api/chats``, ``/api/messages`` and ``/api/contacts``."""

from conversations.api import chats, contacts, messages

ROUTERS = (chats.router, messages.router, contacts.router)
