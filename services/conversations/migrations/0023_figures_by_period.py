"""A period of the dashboard is read from counts, however many chats there are: triggers note what changes, and keep what only adds up."""

from alembic import op
from servicekit.migrations import tables

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLES = ("figure_changes", "figure_actives", "figure_handled", "figure_waits", "figure_standing")
#: All numbers as one, and everybody.
ALL = "00000000-0000-0000-0000-000000000000"
#: Rows come and go all the time.
CHURN = "with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)"


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    _tables()
    _chats_of_a_day()
    _waits()
    _standing()


def _tables() -> None:
    # What came to figure_chats (1) or went from it (-1), and how many messages more that was, until that is settled.
    op.execute(f"""
        create table figure_changes (
            tenant uuid not null,
            chat uuid not null,
            day date not null,
            device uuid not null,
            author uuid not null,
            came integer not null,
            sent bigint not null
        ) {CHURN}
    """)
    op.execute("create index figure_changes_tenant on figure_changes (tenant)")
    # A chat counts 1 on each of its days (since = day) and -1 for each two days that follow each other: over a period that has both ends
    # of what it sums up, every chat is counted once. So for a number, and for somebody who wrote on a number, or on any (`part`).
    op.execute("""
        create table figure_actives (
            tenant uuid not null,
            since date not null,
            day date not null,
            device uuid not null,
            chats integer not null,
            primary key (tenant, since, day, device)
        )
    """)
    op.execute("""
        create table figure_handled (
            tenant uuid not null,
            part uuid not null,
            since date not null,
            day date not null,
            author uuid not null,
            chats integer not null,
            sent bigint not null,
            primary key (tenant, part, since, day, author)
        )
    """)
    # Every eight decimal digits are the count of a bucket (see wait_bucket), so that adding two of these adds all their buckets.
    op.execute("""
        create table figure_waits (
            tenant uuid not null,
            part uuid not null,
            day date not null,
            whose uuid not null,
            counts numeric not null,
            primary key (tenant, part, day, whose)
        )
    """)
    # Each row adds to what the others say: who writes chats waits for nobody.
    op.execute(f"""
        create table figure_standing (
            tenant uuid not null,
            device uuid not null,
            assignee uuid,
            open integer not null,
            waiting integer not null
        ) {CHURN}
    """)
    op.execute("create index figure_standing_tenant on figure_standing (tenant)")
    tables.tenant_named(op, *TABLES)


def _triggers(table: str, function: str, statement: str) -> None:
    """Each statement that changes rows of *table* adds the new ones' part of *statement*, and takes away the old ones'."""
    events = (("insert", ("new_rows",)), ("update", ("old_rows", "new_rows")), ("delete", ("old_rows",)))
    for event, some in events:
        steps = "; ".join(statement.format(rows=rows, n=1 if rows == "new_rows" else -1) for rows in some)
        op.execute(f"""
            create function {function}_{event}() returns trigger language plpgsql set search_path from current as $$
            begin {steps}; return null; end $$
        """)
        referencing = " ".join(f"{rows[:3]} table as {rows}" for rows in some)
        op.execute(f"""
            create trigger {function}_{event} after {event} on {table} referencing {referencing}
                for each statement execute function {function}_{event}()
        """)


def _chats_of_a_day() -> None:
    _triggers(
        "figure_chats",
        "note_figures",
        """
            insert into figure_changes (tenant, chat, day, device, author, came, sent)
            select tenant, chat, day, device, author, {n}, {n} * sent from {rows}
        """,
    )


def _waits() -> None:
    # A hundredth of 4 is the most that one bucket's waits differ by; the first one has all up to a second.
    op.execute("""
        create function wait_bucket(waited interval) returns integer language sql immutable
            return ceil(ln(greatest(extract(epoch from waited)::float8, 1)) / ln(1.04::float8))::integer
    """)
    _triggers(
        "figure_responses",
        "add_waits",
        f"""
            insert into figure_waits as f (tenant, part, day, whose, counts)
            select r.tenant, p.part, r.day, w.whose, sum({{n}} * ('1e' || 8 * wait_bucket(r.answered_at - r.asked_at))::numeric)
              from {{rows}} r cross join lateral (values ('{ALL}'::uuid), (r.device)) p (part)
             cross join lateral (values ('{ALL}'::uuid), (r.author)) w (whose)
             where w.whose is not null group by 1, 2, 3, 4
            on conflict (tenant, part, day, whose) do update set counts = f.counts + excluded.counts
        """,  # noqa: S608 - constants
    )


def _standing() -> None:
    # New and removed chats are counted by the statement; of an update, which most messages are, only what changes the count is looked at.
    for event, rows, n in (("insert", "new", 1), ("delete", "old", -1)):
        op.execute(f"""
            create function count_standing_{event}() returns trigger language plpgsql set search_path from current as $$
            begin
                insert into figure_standing (tenant, device, assignee, open, waiting)
                select tenant, device, assignee, {n} * count(*), {n} * count(waiting_since) from {rows}_rows
                 where status = 'open' group by 1, 2, 3;
                return null;
            end $$
        """)  # noqa: S608 - constants
        op.execute(f"""
            create trigger count_standing_{event} after {event} on chats referencing {rows} table as {rows}_rows
                for each statement execute function count_standing_{event}()
        """)
    op.execute("""
        create function count_standing_update() returns trigger language plpgsql set search_path from current as $$
        begin
            insert into figure_standing (tenant, device, assignee, open, waiting)
            select c.tenant, c.device, c.assignee, c.n, case when c.waiting then c.n else 0 end
              from (values (old.tenant, old.device, old.assignee, old.status, old.waiting_since is not null, -1),
                           (new.tenant, new.device, new.assignee, new.status, new.waiting_since is not null, 1))
                   as c (tenant, device, assignee, status, waiting, n)
             where c.status = 'open';
            return null;
        end $$
    """)
    op.execute("""
        create trigger count_standing_update after update on chats for each row
            when ((old.status = 'open') <> (new.status = 'open') or new.status = 'open' and (
                  (old.device, old.assignee) is distinct from (new.device, new.assignee)
                  or (old.waiting_since is null) <> (new.waiting_since is null)))
            execute function count_standing_update()
    """)


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
