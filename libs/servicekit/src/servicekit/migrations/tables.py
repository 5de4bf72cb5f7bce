"""What version files say again and again, said once.  Each function takes alembic's ``op`` first."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from servicekit.migrations.names import EXTENSIONS, Names, names

#: The inner select is evaluated once a query; without it 500 tenants cost 12 times more.
TENANT = "tenant = any((select nullif(current_setting('app.tenants', true), '')::uuid[])::uuid[])"


def tenant_rls(op: Any, *tables: str) -> None:
    """Of *tables* a transaction sees and writes the rows of its tenants alone; the owner is bound as well."""
    for table in tables:
        op.execute(f'alter table "{table}" enable row level security')
        op.execute(f'alter table "{table}" force row level security')
        op.execute(f'create policy tenant on "{table}" using ({TENANT}) with check ({TENANT})')


def tenant_named(op: Any, *tables: str) -> None:
    """As `tenant_rls`, for *tables* whose every query names its tenant besides.

    As a condition of its own ``tenant = any (…)`` would be matched to indexes beside the query's ``tenant = …``. The planner multiplies
    both selectivities, no longer sees that a unique index gives one row, and takes any index that begins with the tenant: a batch of 300
    keys read whole tenants (400 rows/s where this gives 4,000). ``is true`` makes it a mere filter.
    """
    tenant_rls(op, *tables)
    for table in tables:
        op.execute(f'alter policy tenant on "{table}" using (({TENANT}) is true) with check (({TENANT}) is true)')


def system_access(op: Any, table: str, privileges: str = "select") -> None:
    """The role ``<service>_system`` may do *privileges* (``select, update``) on every tenant's rows of *table*."""
    system = _names(op).system
    op.execute(f'grant {privileges} on "{table}" to "{system}"')
    op.execute(f'create policy system on "{table}" to "{system}" using (true) with check (true)')


def outbox(op: Any) -> None:
    """The table that `servicekit.outbox` writes; the relay reads it as the system role."""
    op.execute(
        "create table outbox (id bigint generated always as identity primary key, tenant uuid not null, msg_id uuid not null, "
        "subject text not null, payload bytea not null, made_at timestamptz not null default now()) "
        "with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)"
    )
    tenant_rls(op, "outbox")
    system_access(op, "outbox", "select, insert, update, delete")


def inbox(op: Any) -> None:
    """The table that `servicekit.inbox` writes: what each durable has done already."""
    op.execute(
        "create table inbox (tenant uuid not null, durable text not null, id uuid not null, "
        "seen_at timestamptz not null default now(), primary key (tenant, durable, id))"
    )
    op.execute("create index inbox_seen_at on inbox (seen_at)")
    tenant_rls(op, "inbox")
    system_access(op, "inbox", "select, insert, delete")


def idempotency(op: Any) -> None:
    """The table that `servicekit.idempotency` writes: one row an answered key, kept for a day."""
    op.execute(
        "create table idempotency (tenant uuid not null, principal uuid not null, key text not null, fingerprint bytea not null, "
        "status int not null, body bytea not null, made_at timestamptz not null default now(), primary key (tenant, principal, key))"
    )
    op.execute("create index idempotency_made_at on idempotency (made_at)")
    tenant_rls(op, "idempotency")
    system_access(op, "idempotency", "select, delete")


def extension(op: Any, *extensions: str) -> None:
    """Each of *extensions* is installed, where every role finds its operators."""
    with as_admin(op):
        for name in extensions:
            op.execute(f'create extension if not exists "{name}" schema "{EXTENSIONS}"')


def leakproof(op: Any, *functions: str) -> bool:
    """Row-level security lets an index serve *functions*, such as ``ts_match_vq(tsvector, tsquery)``.

    Returns:
        False where the migration does not run as a superuser, who alone may say so: the queries are right, but slower.
    """
    with as_admin(op) as superuser:
        if superuser:
            for function in functions:
                op.execute(f"alter function {function} leakproof")
    return superuser


@contextmanager
def as_admin(op: Any) -> Iterator[bool]:
    """Run the statements inside as the role that runs the migrations, whom row-level security does not bind if it is a superuser.

    What is made inside is not the service's: for extensions, functions of the system, and changes to the rows of every tenant.
    """
    op.execute("reset role")
    superuser = bool(op.get_bind().scalar(sa.text("select usesuper from pg_user where usename = current_user")))
    try:
        yield superuser
    finally:
        op.execute(f'set role "{_names(op).owner}"')


def _names(op: Any) -> Names:
    return names(op.get_context().version_table_schema)
