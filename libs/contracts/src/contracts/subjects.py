"""Subjects of the bus: built and read here and nowhere else.

    evt.<service>.<entity>.<happened>.v<N>.<tenant>    a fact, in the stream EVENTS
    cmd.<service>.<order>.v<N>.<tenant>                an order, in the stream COMMANDS (work queue)
    eph.<service>.<what>.<tenant>                      ephemeral: core NATS, no sequence, may be lost
    ask.<service>.<question>                           request and reply
    dlq.<service>.<durable>                            dead letters, in the stream DLQ
    dlq.<service>.<durable>.again                      those that are given back, to this one durable

A tenant is its bare UUID. No JID, phone or user text stands in a subject, and nothing per chat: every distinct subject
costs the server memory.
"""

from typing import Any
from uuid import UUID

import msgspec

from contracts.envelope import Body, Envelope, Topic
from contracts.ids import TenantId

EVENTS = "EVENTS"
COMMANDS = "COMMANDS"
DLQ = "DLQ"
STREAMS = {EVENTS: ["evt.>"], COMMANDS: ["cmd.>"], DLQ: ["dlq.>"]}

EVERY_EVENT = "evt.>"


class Subject(msgspec.Struct, frozen=True):
    """The parts of a fact's or an order's subject; *happened* is empty for an order."""

    kind: str
    service: str
    entity: str
    happened: str
    version: int
    tenant: TenantId


def of(envelope: Envelope[Any]) -> str:
    """Name the subject that *envelope* is published on."""
    return f"{_stem(envelope.data.topic)}.{envelope.tenant}"


def every(body: type[Body]) -> str:
    """Filter for all tenants' facts or orders of this kind and version."""
    return f"{_stem(body.topic)}.*"


def feed(tenant: TenantId) -> str:
    """Filter for everything that happened to one tenant."""
    return f"evt.*.*.*.*.{tenant}"


def ephemeral(service: str, what: str, tenant: TenantId | str = "*") -> str:
    """Name (or, without a tenant, filter) what may be lost."""
    return f"eph.{service}.{what}.{tenant}"


def ask(service: str, question: str) -> str:
    """Name a question that *service* answers."""
    return f"ask.{service}.{question}"


def dead(service: str, durable: str) -> str:
    """Name where the dead letters of a durable go."""
    return f"dlq.{service}.{durable}"


def again(service: str, durable: str) -> str:
    """Name where the dead letters go that are given back to a durable."""
    return f"{dead(service, durable)}.again"


def parse(subject: str) -> Subject:
    """Read a fact's or an order's subject.  Raises: ValueError."""
    parts = subject.split(".")
    match parts:
        case ["evt", service, entity, happened, version, tenant]:
            pass
        case ["cmd", service, entity, version, tenant]:
            happened = ""
        case _:
            raise ValueError(f"{subject!r} is no subject of a fact or an order.")
    if not version.startswith("v"):
        raise ValueError(f"{subject!r} has no version.")
    return Subject(parts[0], service, entity, happened, int(version[1:]), TenantId(UUID(tenant)))


def _stem(topic: Topic) -> str:
    return ".".join(part for part in (topic.kind, topic.service, topic.entity, topic.happened, f"v{topic.version}") if part)
