"""Where a chat stands, who answers it, tags, notes, canned replies, scheduled messages, service hours, and who could answer."""

from alembic import op
from servicekit.migrations import tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = (
    "chat_marks",
    "tags",
    "chat_tags",
    "agents",
    "teams",
    "assignment_rules",
    "assignment_defaults",
    "service_hours",
    "service_hours_told",
    "replies",
    "scheduled",
)


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    # What is here already has been told of: only a chat of revision 0 is news.
    op.execute("""
        alter table chats
            add column status text not null default 'open',
            add column snoozed_until timestamptz,
            add column assignee uuid,
            add column assigned_way text,
            add column team uuid,
            add column revision bigint not null default 1,
            add column waiting_since timestamptz,
            add column queued_at timestamptz,
            add column asked_at timestamptz,
            add column answered_at timestamptz,
            add column began_at timestamptz,
            add column first_response_at timestamptz,
            add column first_response_by uuid,
            add column closed_at timestamptz
    """)
    op.execute("alter table chats alter column revision set default 0")
    op.execute("alter table messages add column origin text, add column resend_of uuid")
    op.execute("""
        create table chat_marks (
            tenant uuid not null,
            agent uuid not null,
            chat uuid not null,
            read_at timestamptz,
            pinned_at timestamptz,
            primary key (tenant, agent, chat)
        )
    """)
    op.execute("create index chat_marks_chat on chat_marks (tenant, chat)")
    op.execute("create index chat_marks_pinned on chat_marks (tenant, agent, chat) where pinned_at is not null")
    op.execute("""
        create table tags (
            tenant uuid not null,
            id uuid not null,
            name text not null,
            sought text collate "C" generated always as (lower(name)) stored,
            color text not null,
            primary key (tenant, id)
        )
    """)
    op.execute("create unique index tags_sought on tags (tenant, sought)")
    op.execute("""
        create table chat_tags (
            tenant uuid not null, chat uuid not null, tag uuid not null,
            primary key (tenant, chat, tag)
        )
    """)
    op.execute("create index chat_tags_tag on chat_tags (tenant, tag, chat)")
    op.execute("""
        create table agents (
            tenant uuid not null,
            id uuid not null,
            name text not null,
            role text not null,
            active boolean not null default true,
            version bigint not null default -1,
            capacity integer,
            turn bigint not null default 0,
            last_seen_at timestamptz,
            primary key (tenant, id)
        )
    """)
    op.execute("create index agents_gone on agents (tenant, id) where not active")
    op.execute("""
        create table teams (
            tenant uuid not null,
            id uuid not null,
            name text not null,
            members uuid[] not null default '{}',
            deleted boolean not null default false,
            told_at timestamptz not null,
            primary key (tenant, id)
        )
    """)
    op.execute("""
        create table assignment_rules (
            tenant uuid not null,
            device uuid,
            team uuid,
            automatic boolean not null,
            check ((device is null) <> (team is null))
        )
    """)
    op.execute("create unique index assignment_rules_device on assignment_rules (tenant, device) where device is not null")
    op.execute("create unique index assignment_rules_team on assignment_rules (tenant, team) where team is not null")
    op.execute("create table assignment_defaults (tenant uuid primary key, capacity integer not null)")
    op.execute("""
        create table service_hours (
            tenant uuid not null,
            id uuid not null,
            name text not null,
            time_zone text,
            weekly jsonb not null,
            holidays jsonb not null,
            devices uuid[] not null default '{}',
            teams uuid[] not null default '{}',
            everywhere boolean not null default false,
            primary key (tenant, id)
        )
    """)
    op.execute("create table service_hours_told (tenant uuid primary key, revision bigint not null)")
    op.execute("""
        create table replies (
            tenant uuid not null,
            id uuid not null,
            shortcut text collate "C" not null,
            text text not null,
            primary key (tenant, id)
        )
    """)
    op.execute("create unique index replies_shortcut on replies (tenant, shortcut)")
    op.execute("""
        create table scheduled (
            tenant uuid not null,
            id uuid not null,
            chat uuid not null,
            author uuid not null,
            by_key boolean not null default false,
            text text not null,
            quoted uuid,
            send_at timestamptz not null,
            state text not null default 'waiting' check (state in ('waiting', 'sent', 'cancelled', 'failed')),
            message uuid,
            reason text,
            primary key (tenant, id)
        )
    """)
    op.execute("create index scheduled_due on scheduled (send_at) where state = 'waiting'")
    op.execute("create index scheduled_waiting on scheduled (tenant, send_at, id) where state = 'waiting'")
    op.execute("create index scheduled_chat on scheduled (tenant, chat, send_at, id)")
    tables.tenant_named(op, *TABLES)
    for table in ("chats", "scheduled", "assignment_rules"):
        tables.system_access(op, table)
    tables.system_access(op, "agents", "select, update")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
