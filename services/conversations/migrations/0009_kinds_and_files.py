"""What a message of any kind says, what was done to it since, and where its file lies."""

from alembic import op
from servicekit.migrations import tables

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("""
        alter table messages
            add column more jsonb,
            add column reactions jsonb,
            add column edited_at timestamptz,
            add column deleted_at timestamptz
    """)
    # Reactions, edits and deletions whose message is not here yet ('waiting'), or that are on their way from here ('ordered').
    op.execute("""
        create table acts (
            tenant uuid not null,
            id uuid not null,
            device uuid not null,
            chat uuid not null,
            wa_id text not null,
            state text not null check (state in ('waiting', 'ordered')),
            kind text not null,
            from_me boolean not null,
            participant text not null default '',
            sender_name text,
            text text,
            at timestamptz not null,
            kept_at timestamptz not null default now(),
            primary key (tenant, id)
        )
    """)
    op.execute("create index acts_wa_id on acts (tenant, device, wa_id)")
    op.execute("create index acts_chat on acts (tenant, chat)")
    op.execute("create index acts_kept_at on acts (kept_at)")
    op.execute("""
        create table media (
            tenant uuid not null,
            id uuid not null,
            device uuid,
            message uuid,
            author uuid,
            kind text not null,
            state text not null check (state in ('pending', 'ready', 'expired', 'failed', 'gone')),
            reason text,
            attempt integer not null default 1,
            source jsonb,
            object text,
            mime text not null,
            size bigint not null,
            file_name text,
            facts jsonb,
            created_at timestamptz not null default now(),
            primary key (tenant, id)
        )
    """)
    op.execute("create index media_message on media (tenant, message) where message is not null")
    op.execute("create index media_object on media (tenant, object) where object is not null")
    op.execute("create index media_unused on media (created_at) where message is null")
    tables.tenant_named(op, "acts", "media")
    tables.system_access(op, "acts", "select, delete")
    tables.system_access(op, "media", "select, delete")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
