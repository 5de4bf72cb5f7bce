"""The types of events that endpoints subscribe to: every public event has one. Pure."""

import inspect
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from contracts import events as _declared  # noqa: F401  importing them declares them
from contracts import examples
from contracts.envelope import REGISTRY, Body, Envelope
from contracts.events.conversations import MessageAdvanced
from contracts.views import MessageStatus

from webhooks.domain.problems import TypeUnknown

#: A status that is worth a type of its own: it is what most integrators want to hear of.
FAILED = "message.failed"
_PATTERN = re.compile(r"\*|[a-z_]+(\.[a-z_]+)*(\.\*)?")
PATTERNS_MOST = 50


@dataclass(frozen=True, slots=True)
class Type:
    """One line of the catalogue; *example* is the data of a delivery."""

    name: str
    description: str
    example: Any


#: What becomes webhooks, in the order of its declaration.
BODIES: tuple[type[Body], ...] = tuple(body for body in REGISTRY.values() if body.topic.public and body.topic.webhook)


def of(body: Body) -> str:
    """Name the type that *body* is delivered as.  Raises: ValueError: it becomes no webhook."""
    if isinstance(body, MessageAdvanced) and body.status is MessageStatus.FAILED:
        return FAILED
    if not body.topic.webhook:
        raise ValueError(f"{body.topic.type} becomes no webhook.")
    return body.topic.webhook


def bodies(patterns: Collection[str]) -> tuple[type[Body], ...]:
    """Give the bodies among which those of these types are."""
    return tuple(
        body for body in BODIES if matches(patterns, body.topic.webhook or "") or (body is MessageAdvanced and matches(patterns, FAILED))
    )


def matches(patterns: Iterable[str], type: str) -> bool:
    """Tell whether *type* is among *patterns*: ``*``, ``message.*``, or the type itself."""
    return any(pattern == type or pattern == "*" or (pattern.endswith(".*") and type.startswith(pattern[:-1])) for pattern in patterns)


def checked(patterns: Collection[str]) -> tuple[str, ...]:
    """Give the patterns, each once.  Raises: TypeUnknown: one that nothing can match."""
    known = [type.name for type in CATALOGUE]
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern) or not any(matches((pattern,), type) for type in known):
            detail = f"{pattern[:80]!r} is not among the types of GET /api/webhooks/event-types."
            raise TypeUnknown(detail, errors=[{"at": "body.types", "message": detail}])
    return tuple(dict.fromkeys(patterns))


def _catalogue() -> tuple[Type, ...]:
    found: dict[str, Type] = {}
    for example in examples.BODIES:
        topic = example.topic
        if topic.public and topic.webhook:
            names = {topic.webhook, of(example)}
            text = " ".join(inspect.cleandoc(type(example).__doc__ or "").split("\n\n")[0].split())
            for name in sorted(names):
                if name == FAILED:
                    text = "A message of ours was not sent: `reason` says why."
                found.setdefault(name, Type(name, text.replace("``", "`"), _shown(example, name)))
    return tuple(sorted(found.values(), key=lambda line: line.name))


def _shown(example: Body, name: str) -> Any:
    if isinstance(example, MessageAdvanced) and name != FAILED:
        example = msgspec.structs.replace(example, status=MessageStatus.READ, reason=None)
    return msgspec.to_builtins(example)


CATALOGUE: tuple[Type, ...] = _catalogue()


def example(name: str) -> Type:
    """Give the line of the catalogue.  Raises: TypeUnknown."""
    for type in CATALOGUE:
        if type.name == name:
            return type
    raise TypeUnknown(f"{name[:80]!r} is not among the types of GET /api/webhooks/event-types.")


def chat_of(envelope: Envelope[Any]) -> str | None:
    """Name the chat whose order an event belongs to; None where it is about none."""
    body = envelope.data
    chat = getattr(body, "chat_id", None)
    if chat is None and body.topic.entity == "chat":
        chat = getattr(body, "id", None)
    return chat if isinstance(chat, str) else None
