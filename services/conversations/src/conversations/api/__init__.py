"""The public routes of the inbox."""

from contracts.media import LARGEST

from conversations.api import (
    assignment,
    chats,
    contacts,
    dashboard,
    exports,
    hours,
    imports,
    joining,
    kinds,
    media,
    messages,
    notes,
    privacy,
    profiles,
    replies,
    scheduled,
    search,
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
    imports.router,
    exports.router,
    contacts.router,
    joining.router,
    profiles.notes,
    profiles.states,
    profiles.fields,
    tags.router,
    replies.router,
    assignment.router,
    hours.router,
    dashboard.router,
    search.router,
    privacy.of_contacts,
    privacy.router,
)

#: What a body may have where files come in: the largest file and the form around it.
BODY_LIMITS = dict.fromkeys(("/api/media", "/api/messages/send/media", "/api/contacts/imports"), LARGEST + (2 << 20))
