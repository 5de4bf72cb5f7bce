"""The bot's settings, what it remembers of each chat, what it is about to say, and what it counts.

Every key begins with the tenant. The policies are written with ``is true`` around the tenants of the transaction, so that a query
that names its tenant finds its rows by the index.
"""

from alembic import op
from servicekit.migrations import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("""
        create table settings (
            tenant uuid not null,
            device uuid not null,
            version integer not null,
            document jsonb not null,
            changed_at timestamptz not null default now(),
            primary key (tenant, device)
        )
    """)
    op.execute("""
        create table chats (
            tenant uuid not null,
            id uuid not null,
            device uuid not null,
            team uuid,
            assignee uuid,
            state jsonb not null,
            primary key (tenant, id)
        )
    """)
    op.execute("""
        create table pending (
            tenant uuid not null,
            id uuid not null,
            chat uuid not null,
            due_at timestamptz not null,
            payload bytea not null,
            primary key (tenant, id)
        )
    """)
    op.execute("create index pending_due on pending (due_at)")
    op.execute("create index pending_chat on pending (tenant, chat)")
    op.execute("""
        create table figures (
            tenant uuid not null,
            day date not null,
            device uuid not null,
            what text not null,
            rule text not null default '',
            count bigint not null,
            primary key (tenant, day, device, what, rule)
        )
    """)
    op.execute("""
        create table phrases (
            tenant uuid not null,
            phrase text not null,
            count bigint not null,
            last_at timestamptz not null,
            primary key (tenant, phrase)
        )
    """)
    op.execute("create index phrases_often on phrases (tenant, count desc, phrase desc)")
    op.execute("create index phrases_old on phrases (last_at)")
    op.execute("""
        create table accounts (
            tenant uuid primary key,
            name text not null,
            locale text not null,
            time_zone text not null,
            suspended boolean not null default false,
            revision bigint not null
        )
    """)
    op.execute("""
        create table devices (
            tenant uuid not null,
            id uuid not null,
            name text not null,
            revision bigint not null,
            primary key (tenant, id)
        )
    """)
    op.execute("create table hours (tenant uuid primary key, sets jsonb not null, revision bigint not null)")
    tables.outbox(op)
    tables.inbox(op)
    tables.tenant_named(op, "settings", "chats", "pending", "figures", "phrases", "accounts", "devices", "hours")
    tables.system_access(op, "pending", "select")
    tables.system_access(op, "phrases", "select, delete")
    tables.system_access(op, "chats", "select, delete")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
