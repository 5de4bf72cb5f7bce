"""What the dashboard shows: messages by hour and number, by day, chat and author, and how long customers waited.

Each row is a recount of the messages that it is about, made anew whenever one of them is told of.
"""

from alembic import op
from servicekit.migrations import tables

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = ("figure_hours", "figure_chats", "figure_responses")


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    # Hours and days are the account's own, as its clock on the wall shows them.
    op.execute("""
        create table figure_hours (
            tenant uuid not null,
            hour timestamp not null,
            device uuid not null,
            received integer not null,
            sent integer not null,
            primary key (tenant, hour, device)
        )
    """)
    op.execute("""
        create table figure_chats (
            tenant uuid not null,
            day date not null,
            chat uuid not null,
            device uuid not null,
            author uuid not null,
            received integer not null,
            sent integer not null,
            primary key (tenant, day, chat, author)
        )
    """)
    op.execute("""
        create table figure_responses (
            tenant uuid not null,
            chat uuid not null,
            asked_at timestamptz not null,
            answered_at timestamptz not null,
            device uuid not null,
            author uuid,
            day date not null,
            primary key (tenant, chat, asked_at)
        )
    """)
    op.execute("create index figure_responses_day on figure_responses (tenant, day)")
    tables.tenant_named(op, *TABLES)


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
