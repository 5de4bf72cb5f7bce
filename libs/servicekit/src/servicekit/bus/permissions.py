"""What the server lets each user do: its own names, its own durables, and nothing else."""

from typing import Any

from contracts import access, buckets, subjects

MIGRATOR = "migrator"


def inbox(user: str) -> str:
    """Name the prefix on which *user* gets answers; shared, one service could read what another asks."""
    return f"_INBOX_{user}"


def permissions(service: str) -> dict[str, Any]:
    """Give the user's permissions in the form of nats.conf.

    Args:
        service: As its subjects name it: ``devices``, not ``device-worker``.
    """
    if service == MIGRATOR:
        # A backup hears the orders that are given while it is made.
        return {"publish": {"allow": [">"]}, "subscribe": {"allow": [f"{inbox(service)}.>", "cmd.>"]}}
    mine = access.EVERY.get(service, access.Access())
    publish = [
        f"evt.{service}.>",
        "cmd.>",
        f"eph.{service}.>",
        f"{subjects.dead(service, '*')}",
        "ask.>",
    ]
    publish += [f"$JS.API.STREAM.INFO.{stream}" for stream in subjects.STREAMS]
    durables = [*mine.durables, *((subjects.DLQ, name) for _, name in mine.durables)]
    for stream, durable in durables:
        name = f"{stream}.{durable}"
        publish += [
            f"$JS.API.CONSUMER.CREATE.{name}",
            f"$JS.API.CONSUMER.INFO.{name}",
            f"$JS.API.CONSUMER.RESET.{name}",
            f"$JS.API.CONSUMER.MSG.NEXT.{name}",
            f"$JS.ACK.{name}.>",
        ]
    if mine.reads_events:
        publish += [f"$JS.API.CONSUMER.CREATE.{subjects.EVENTS}", f"$JS.FC.{subjects.EVENTS}.>"]
    if mine.erases:
        publish += [f"$JS.API.STREAM.MSG.DELETE.{stream}" for stream in (subjects.EVENTS, subjects.DLQ)]
        publish.append(f"$JS.API.STREAM.MSG.GET.{subjects.DLQ}")
    if mine.operates:
        publish += [f"$JS.API.CONSUMER.LIST.{stream}" for stream in subjects.STREAMS]
        publish += [f"$JS.API.STREAM.{call}.{subjects.DLQ}" for call in ("MSG.GET", "MSG.DELETE", "PURGE")]
        publish.append(subjects.again("*", "*"))
    for bucket in buckets.EVERY:
        stream = f"KV_{bucket.name}"
        reading = f"$JS.API.DIRECT.GET.{stream}"
        publish += [reading, f"{reading}.>", f"$JS.API.CONSUMER.CREATE.{stream}", f"$JS.FC.{stream}.>"]
        if bucket.writer in {service, mine.process}:
            publish.append(f"$KV.{bucket.name}.>")
    return {
        "publish": {"allow": publish},
        "subscribe": {"allow": [f"{inbox(service)}.>", f"{subjects.ask(service, '*')}", *mine.listens]},
        # To answer a question: one message to the inbox of who asked.
        "allow_responses": {"max": 1, "expires": "1m"},
    }


def users() -> dict[str, dict[str, Any]]:
    """Give every user that there is with its permissions."""
    return {user: permissions(user) for user in (MIGRATOR, *access.EVERY)}
