"""Pipelines, stages, leads, tasks and rules, with what is known here of chats and people.

Every key begins with the tenant. Ranks have the collation "C": they are compared byte by byte, as they were made, and its operators
are leakproof, so that row-level security lets them use an index.
"""

from alembic import op
from servicekit.migrations import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "accounts",
    "users",
    "teams",
    "tags",
    "contacts",
    "contact_redirects",
    "chats",
    "pipelines",
    "stages",
    "leads",
    "lead_chats",
    "stage_totals",
    "stage_visits",
    "lead_history",
    "lead_notes",
    "tasks",
    "rules",
    "rule_runs",
)


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("""
        create table accounts (
            tenant uuid primary key, locale text not null, currency text not null, time_zone text not null, revision bigint not null
        )
    """)
    op.execute("""
        create table users (
            tenant uuid not null, id uuid not null, name text not null, active boolean not null default true, version bigint not null,
            primary key (tenant, id)
        )
    """)
    op.execute("create table teams (tenant uuid not null, id uuid not null, name text not null, primary key (tenant, id))")
    op.execute("""
        create table tags (
            tenant uuid not null, id uuid not null, name text not null, color text not null, deleted boolean not null default false,
            told_at timestamptz not null, primary key (tenant, id)
        )
    """)
    op.execute("""
        create table contacts (
            tenant uuid not null, id uuid not null, name text, phone text, sought text, told_at timestamptz not null,
            primary key (tenant, id)
        )
    """)
    op.execute("""
        create table contact_redirects (
            tenant uuid not null, old uuid not null, new uuid not null, primary key (tenant, old)
        )
    """)
    op.execute("""
        create table chats (
            tenant uuid not null,
            id uuid not null,
            device uuid not null,
            contact uuid,
            name text,
            status text not null default 'open',
            assignee uuid,
            team uuid,
            tags uuid[] not null default '{}',
            unread integer not null default 0,
            revision bigint not null default -1,
            assigned_at timestamptz,
            counted_at timestamptz,
            first_id uuid,
            tagged jsonb not null default '{}',
            last_id uuid,
            last_at timestamptz,
            last_kind text,
            last_text text,
            last_from_me boolean,
            primary key (tenant, id)
        )
    """)
    op.execute("create index chats_of_contact on chats (tenant, contact) where contact is not null")
    op.execute("""
        create table pipelines (
            tenant uuid not null,
            id uuid not null,
            name text not null,
            currency text not null,
            position integer not null,
            is_default boolean not null default false,
            owner_follows_chat boolean not null default true,
            chat_follows_owner boolean not null default true,
            guessed boolean not null default false,
            revision bigint not null default 0,
            created_at timestamptz not null default now(),
            primary key (tenant, id)
        )
    """)
    op.execute("create unique index pipelines_default on pipelines (tenant) where is_default")
    op.execute("""
        create table stages (
            tenant uuid not null,
            id uuid not null,
            pipeline uuid not null,
            name text not null,
            kind text not null check (kind in ('open', 'won', 'lost')),
            color text not null,
            probability smallint not null check (probability between 0 and 100),
            rotting_days integer,
            position integer not null,
            primary key (tenant, id)
        )
    """)
    op.execute("create index stages_of_pipeline on stages (tenant, pipeline, position)")
    op.execute("""
        create table leads (
            tenant uuid not null,
            id uuid not null,
            pipeline uuid not null,
            stage uuid not null,
            kind text not null,
            title text not null,
            sought text not null generated always as (lower(title)) stored,
            value bigint not null check (value >= 0),
            currency text not null,
            rank text collate "C" not null,
            version bigint not null,
            contact uuid,
            chat uuid,
            chats uuid[] not null default '{}',
            device uuid,
            team uuid,
            assignee uuid,
            owner uuid,
            owner_at timestamptz,
            source text,
            tags uuid[] not null default '{}',
            expected_close date,
            lost_reason text,
            created_at timestamptz not null,
            at timestamptz not null,
            stage_since timestamptz not null,
            closed_at timestamptz,
            primary key (tenant, id),
            constraint leads_place unique (tenant, stage, rank) deferrable initially immediate
        )
    """)
    op.execute("create index leads_newest on leads (tenant, created_at desc, id desc)")
    op.execute("create index leads_of_owner on leads (tenant, owner, stage, rank) where owner is not null")
    op.execute("create index leads_of_contact on leads (tenant, contact) where contact is not null")
    op.execute("create index leads_closed on leads (tenant, pipeline, closed_at) where closed_at is not null")
    op.execute("""
        create table lead_chats (
            tenant uuid not null, lead uuid not null, chat uuid not null, linked_at timestamptz not null,
            primary key (tenant, lead, chat)
        )
    """)
    op.execute("create index lead_chats_chat on lead_chats (tenant, chat, lead)")
    op.execute("""
        create table stage_totals (
            tenant uuid not null, stage uuid not null, currency text not null, leads bigint not null, value numeric not null,
            primary key (tenant, stage, currency)
        ) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500)
    """)
    op.execute("""
        create table stage_visits (
            tenant uuid not null, lead uuid not null, pipeline uuid not null, stage uuid not null,
            entered_at timestamptz not null, left_at timestamptz,
            primary key (tenant, lead, entered_at)
        )
    """)
    op.execute("create index stage_visits_of_pipeline on stage_visits (tenant, pipeline, entered_at)")
    op.execute("""
        create table lead_history (
            tenant uuid not null, lead uuid not null, id uuid not null, at timestamptz not null, what text not null,
            actor uuid, actor_kind text, rule uuid, changes jsonb not null default '{}',
            primary key (tenant, lead, id)
        )
    """)
    op.execute("""
        create table lead_notes (
            tenant uuid not null, lead uuid not null, id uuid not null, author uuid, text text not null, at timestamptz not null,
            primary key (tenant, lead, id)
        )
    """)
    op.execute("""
        create table tasks (
            tenant uuid not null, id uuid not null, lead uuid not null, title text not null, assignee uuid,
            due_at timestamptz, remind_at timestamptz, reminded_at timestamptz, done_at timestamptz, created_at timestamptz not null,
            primary key (tenant, id)
        )
    """)
    op.execute("create index tasks_of_lead on tasks (tenant, lead)")
    op.execute("create index tasks_open on tasks (tenant, due_at, id) where done_at is null")
    op.execute("create index tasks_to_remind on tasks (remind_at) where done_at is null and reminded_at is null and remind_at is not null")
    op.execute("""
        create table rules (
            tenant uuid not null, id uuid not null, name text not null, enabled boolean not null, trigger jsonb not null,
            actions jsonb not null, created_at timestamptz not null default now(),
            primary key (tenant, id)
        )
    """)
    op.execute("""
        create table rule_runs (
            tenant uuid not null, rule uuid not null, event uuid not null, id uuid not null, lead uuid, at timestamptz not null,
            outcome text not null, steps jsonb not null default '[]',
            primary key (tenant, rule, event)
        )
    """)
    op.execute("create index rule_runs_newest on rule_runs (tenant, id desc)")
    op.execute("create index rule_runs_of_lead on rule_runs (tenant, rule, lead, at)")
    _keep_totals()
    tables.tenant_named(op, *TABLES)
    tables.outbox(op)
    tables.inbox(op)
    tables.idempotency(op)
    tables.system_access(op, "tasks", "select, update")
    tables.system_access(op, "leads", "select")
    tables.system_access(op, "rule_runs", "select, delete")


def _keep_totals() -> None:
    """What a stage holds is counted by the statement that changes a lead, whichever that is, and in one order of the rows.

    Code that must think of a sum forgets it one day; sums of 50,000 leads for each look at a board cost more than the board.
    """
    parts = {
        "insert": ("new_leads", "referencing new table as new_leads", "select tenant, stage, currency, 1 as leads, value from new_leads"),
        "delete": (
            "old_leads",
            "referencing old table as old_leads",
            "select tenant, stage, currency, -1 as leads, -value as value from old_leads",
        ),
        "update": (
            "both",
            "referencing old table as old_leads new table as new_leads",
            "select tenant, stage, currency, 1 as leads, value from new_leads "
            "union all select tenant, stage, currency, -1, -value from old_leads",
        ),
    }
    for event, (name, referencing, changes) in parts.items():
        op.execute(f"""
            create function count_{name}() returns trigger language plpgsql set search_path from current as $$
            begin
                insert into stage_totals as t (tenant, stage, currency, leads, value)
                select tenant, stage, currency, sum(leads), sum(value) from ({changes}) as c
                 group by tenant, stage, currency having sum(leads) <> 0 or sum(value) <> 0
                 order by tenant, stage, currency
                on conflict (tenant, stage, currency)
                do update set leads = t.leads + excluded.leads, value = t.value + excluded.value;
                return null;
            end $$
        """)  # noqa: S608  # constants of this function
        op.execute(f"""
            create trigger leads_counted_{event} after {event} on leads {referencing}
            for each statement execute function count_{name}()
        """)


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
