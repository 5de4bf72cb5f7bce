"""The public routes of the inbox."""

from conversations.api import (
    assignment,
    chats,
    contacts,
    dashboard,
    hours,
    kinds,
    media,
    messages,
    notes,
    profiles,
    replies,
    scheduled,
    settling,
    tags,
)

ROUTERS = (
    chats.router,
    assignment.of_chats,
    notes.router,
    scheduled.router,
    messages.router,
    kinds.router,
    media.router,
    settling.router,
    contacts.router,
    profiles.notes,
    profiles.states,
    profiles.fields,
    tags.router,
    replies.router,
    assignment.router,
    hours.router,
    dashboard.router,
)
