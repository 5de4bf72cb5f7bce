"""What is set of a device and how it came to stand where it stands; what was counted of it, and whom it knows; sends that are held."""

from alembic import op
from servicekit.migrations import tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute(
        "alter table devices add column linked_at timestamptz, add column settings jsonb not null default '{}', add column proxy bytea"
    )

    # What waits for its turn is held for its chat, which is known by a digest: here nobody's number stands.
    op.execute("alter table sends add column peer bytea, add column held_until timestamptz, add column told smallint not null default 0")

    op.execute(
        """
        create table meters (
            tenant uuid not null,
            device uuid not null,
            tokens double precision not null,
            counted_at timestamptz not null,
            day date not null,
            new_contacts int not null,
            messages int not null,
            not_before timestamptz,
            paused_until timestamptz,
            paused_why text,
            primary key (tenant, device),
            foreign key (tenant, device) references devices (tenant, id) on delete cascade
        )
        """
    )
    tables.tenant_rls(op, "meters")
    tables.system_access(op, "meters", "select, insert, update, delete")

    # Who wrote to a number or was written to from it; the digest of an address, 16 bytes.
    op.execute(
        """
        create table peers (
            tenant uuid not null,
            device uuid not null,
            peer bytea not null,
            wrote_at timestamptz,
            primary key (tenant, device, peer),
            foreign key (tenant, device) references devices (tenant, id) on delete cascade
        )
        """
    )
    tables.tenant_rls(op, "peers")
    tables.system_access(op, "peers", "select, insert, update, delete")

    op.execute(
        """
        create table history (
            tenant uuid not null,
            device uuid not null,
            revision bigint not null,
            at timestamptz not null,
            state text not null,
            wanted text not null,
            reason text,
            action text,
            until timestamptz,
            actor_kind text,
            actor uuid,
            primary key (tenant, device, revision),
            foreign key (tenant, device) references devices (tenant, id) on delete cascade
        )
        """
    )
    op.execute("create index history_old on history (at)")
    tables.tenant_rls(op, "history")
    tables.system_access(op, "history", "select, insert, delete")

    # What auth tells of an account: by whose clock a number's day begins, how many numbers it may have, whether it may do anything.
    op.execute(
        """
        create table accounts (
            tenant uuid primary key,
            time_zone text not null,
            suspended boolean not null default false,
            devices int,
            revision bigint not null
        )
        """
    )
    tables.tenant_rls(op, "accounts")
    tables.system_access(op, "accounts", "select")

    with op.get_context().autocommit_block():
        op.execute(
            "create index concurrently if not exists sends_shown on sends (tenant, device, seq) "
            "where status in ('queued', 'sending', 'unknown', 'failed')"
        )


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
