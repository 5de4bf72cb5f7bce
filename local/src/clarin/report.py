"""What runs where, for a terminal."""

from rich.table import Table

from clarin.folder import Running


def shown(running: Running) -> Table:
    """Lay out what runs where."""
    table = Table(box=None, pad_edge=False)
    for heading in ("process", "pid", "where"):
        table.add_column(heading)
    # A password has no place on a screen: only the address itself is shown.
    buses = sorted(name for name in running.pids if name.partition("-")[0] == "nats")
    servers = {"postgres": running.postgres, "valkey": running.redis} | dict(zip(buses, running.nats.split(","), strict=False))
    where = running.urls | {name: url.rpartition("@")[2] for name, url in servers.items()} | {"sim": running.sim_url or ""}
    for name, pid in sorted(running.pids.items()):
        table.add_row(name, str(pid), where.get(name, ""))
    return table
