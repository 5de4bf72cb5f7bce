"""`clarin dlq`: what no consumer could handle, giving it to them again, and giving it up."""

from collections.abc import Sequence

from contracts import subjects
from rich.console import Console
from rich.table import Table
from servicekit.bus import Bus, dlq

from clarin.folder import Running


async def show(running: Running, console: Console) -> None:
    """Print every dead letter; never what it says, which may be a customer's words."""
    table = Table(box=None, pad_edge=False)
    for heading in ("number", "given up at", "durable", "subject", "code", "error", "tries"):
        table.add_column(heading)
    async with Bus.open(running.nats, name="clarin-dlq") as bus:
        async for letter in dlq.entries(bus):
            at = f"{letter.at:%Y-%m-%d %H:%M:%S}"
            table.add_row(str(letter.sequence), at, letter.durable, letter.subject, letter.code, letter.error, str(letter.attempts))
    console.print(table if table.row_count else "There are no dead letters.")


async def replay(running: Running, sequences: Sequence[int], console: Console) -> None:
    """Give the letters of these numbers, or all, back to their consumers."""
    given = 0
    async with Bus.open(running.nats, name="clarin-dlq") as bus:
        last = (await bus.stream_state(subjects.DLQ)).last_sequence  # what fails again has a higher number
        async for letter in dlq.entries(bus, before=last + 1):
            if not sequences or letter.sequence in sequences:
                given += await dlq.replay(bus, letter)
    console.print(f"{given} given back.")


async def drop(running: Running, sequences: Sequence[int], console: Console) -> None:
    """Delete the letters of these numbers for good."""
    async with Bus.open(running.nats, name="clarin-dlq") as bus:
        dropped = sum([await dlq.discard(bus, sequence) for sequence in sequences if await dlq.read(bus, sequence) is not None])
    console.print(f"{dropped} dropped.")
