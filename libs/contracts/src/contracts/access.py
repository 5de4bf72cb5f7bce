"""What each service does on the bus besides telling its own facts: the server's permissions are made from this."""

import msgspec

from contracts import subjects


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One service's part.

    Attributes:
        process: The name of its processes, where that is not its name on the bus.
        durables: The streams and the durables that it consumes by, ``<service>-<what>``; it may touch no other.
        reads_events: It reads the stream of events in order, without a durable.
        erases: It may delete single messages of the stream of events and of the dead letters: those that speak of somebody erased.
        operates: It sees how far every durable is, reads the dead letters, gives them back and drops them: for the installation's owner.
        listens: The subjects of core NATS that it hears.
    """

    process: str = ""
    durables: tuple[tuple[str, str], ...] = ()
    reads_events: bool = False
    erases: bool = False
    operates: bool = False
    listens: tuple[str, ...] = ()


#: By the service's name on the bus, which is its NATS user as well.
EVERY: dict[str, Access] = {
    "gateway": Access(),
    # Of all of them it is auth that operates: whoever has taken it over makes tokens for anybody already.
    "auth": Access(durables=((subjects.EVENTS, "auth-activity"), (subjects.EVENTS, "auth-numbers")), operates=True),
    "devices": Access(
        process="device-worker",
        durables=((subjects.COMMANDS, "devices-orders"), (subjects.COMMANDS, "devices-media"), (subjects.EVENTS, "devices-accounts")),
        listens=("eph.conversations.attended.*",),
    ),
    "conversations": Access(
        durables=(
            (subjects.EVENTS, "conversations-whatsapp"),
            (subjects.EVENTS, "conversations-media"),
            (subjects.EVENTS, "conversations-people"),
            (subjects.EVENTS, "conversations-accounts"),
            (subjects.EVENTS, "conversations-figures"),
            (subjects.EVENTS, "conversations-erasures"),
            (subjects.COMMANDS, "conversations-orders"),
        ),
        reads_events=True,
        erases=True,
        listens=("eph.devices.typing.*", "eph.realtime.typing.*"),
    ),
    "pipeline": Access(durables=((subjects.EVENTS, "pipeline-facts"), (subjects.EVENTS, "pipeline-automations"))),
    "realtime": Access(reads_events=True, listens=("eph.>",)),
    "bot": Access(durables=((subjects.EVENTS, "bot-events"),)),
    "webhooks": Access(durables=((subjects.EVENTS, "webhooks-events"),), reads_events=True),
}
