"""The public routes of the inbox."""

from conversations.api import assignment, chats, contacts, messages, tags

ROUTERS = (chats.router, assignment.of_chats, messages.router, contacts.router, tags.router, assignment.router)
