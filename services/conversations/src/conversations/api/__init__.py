"""The public routes of the inbox."""

from conversations.api import assignment, chats, contacts, dashboard, hours, messages, notes, replies, scheduled, settling, tags

ROUTERS = (
    chats.router,
    assignment.of_chats,
    notes.router,
    scheduled.router,
    messages.router,
    settling.router,
    contacts.router,
    tags.router,
    replies.router,
    assignment.router,
    hours.router,
    dashboard.router,
)
