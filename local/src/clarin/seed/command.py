"""`clarin seed`: one account gets all that was asked for, and others, whom nobody signs in to, a hundredth of it each."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

import asyncpg
from contracts import ids
from contracts.ids import TenantId
from rich.console import Console
from rich.progress import Progress

from clarin.processes import DATABASE
from clarin.seed.filling import fill


class NoAccount(Exception):
    """Nobody knows which account is meant."""


async def run(postgres: str, console: Console, *, chats: int, messages: int, tenants: int, email: str | None, seed: int, add: bool) -> None:
    """The accounts have their chats and messages.  Raises: NoAccount, NotEmpty, ValueError."""
    c = await asyncpg.connect(urlsplit(postgres)._replace(path=f"/{DATABASE}").geturl())
    try:
        first = await _account(c, email)
        until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        with Progress(console=console, transient=True) as shown:
            for number in range(tenants):
                tenant = TenantId(ids.derived("seed", seed, number)) if number else first
                share = 100 if number else 1
                task = shown.add_task(f"account {number + 1} of {tenants}", total=messages // share)
                took = await fill(
                    c,
                    tenant,
                    chats=max(1, chats // share),
                    messages=max(1, messages // share),
                    seed=seed + number,
                    until=until,
                    add=add,
                    progress=lambda done, of, task=task: shown.update(task, completed=done, total=of),  # type: ignore[misc]
                )
                shown.remove_task(task)
                if not number:
                    console.print(f"{chats} chats with {messages} messages in {took:.0f} s.", highlight=False)
    finally:
        await c.close()


async def _account(c: asyncpg.Connection, email: str | None) -> TenantId:
    if email is not None:
        tenant = await c.fetchval("select tenant from auth.users where email = lower($1)", email)
        if tenant is None:
            raise NoAccount("Nobody signs in with this address.")
        return TenantId(tenant)
    known = await c.fetch("select tenant from auth.accounts order by created_at limit 2")
    if len(known) != 1:
        raise NoAccount("Say whose account: --email names somebody in it." if known else "There is no account yet: register one.")
    return TenantId(known[0]["tenant"])
