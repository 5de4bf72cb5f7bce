"""What was counted before is in the counts by period too: account after account, while the tables are in use. May run again."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

ALL = "00000000-0000-0000-0000-000000000000"
#: Row-level security binds the owner as well.
READ = (
    "figure_chats",
    "figure_responses",
    "chats",
    "figure_changes",
    "figure_actives",
    "figure_handled",
    "figure_waits",
    "figure_standing",
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # How a chat's days follow each other is looked up there.
        op.execute("create index concurrently if not exists figure_chats_days on figure_chats (tenant, chat, day) include (author, device)")
        for table in READ:
            op.execute(f"drop policy if exists filling on {table}")
            op.execute(f"create policy filling on {table} to current_user using (true) with check (true)")
        op.execute(_FILL)
        for table in READ:
            op.execute(f"drop policy filling on {table}")


# Whoever recounts an account holds its lock, and settles what the triggers noted. Who writes chats holds none: what he adds is either in
# the chats that one statement counts and in the rows that it takes away, or in neither.
_FILL = f"""
do $$
declare
    one uuid;
begin
    for one in select tenant from (select tenant from figure_chats union select tenant from chats) as here order by tenant loop
        perform pg_advisory_xact_lock(hashtextextended('figures ' || one, 0));
        delete from figure_changes where tenant = one;
        delete from figure_actives where tenant = one;
        insert into figure_actives (tenant, since, day, device, chats)
        with days as (
            select distinct device, chat, day from figure_chats where tenant = one
        ), counted as (
            select device, day as since, day, 1 as chats from days
            union all
            select device, lag(day) over (partition by device, chat order by day), day, -1 from days
        )
        select one, since, day, device, sum(chats) from counted where day - since < 400 group by 2, 3, 4 order by 2, 3;
        delete from figure_handled where tenant = one;
        insert into figure_handled (tenant, part, since, day, author, chats, sent)
        with days as (
            select device, chat, author, day, sent from figure_chats where tenant = one and author <> '{ALL}'
        ), counted as (
            select device, author, day as since, day, 1 as chats, sent from days
            union all
            select device, author, lag(day) over (partition by device, chat, author order by day), day, -1, 0 from days
        )
        select one, p.part, since, day, author, sum(chats), sum(sent)
          from counted cross join lateral (values ('{ALL}'::uuid), (device)) as p (part)
         where day - since < 400 group by 2, 3, 4, 5 order by 2, 3, 4;
        delete from figure_waits where tenant = one;
        insert into figure_waits (tenant, part, day, whose, counts)
        select one, p.part, r.day, w.whose, sum(('1e' || 8 * wait_bucket(r.answered_at - r.asked_at))::numeric)
          from figure_responses r cross join lateral (values ('{ALL}'::uuid), (r.device)) p (part)
         cross join lateral (values ('{ALL}'::uuid), (r.author)) w (whose)
         where r.tenant = one and w.whose is not null group by 2, 3, 4;
        with known as (
            delete from figure_standing where tenant = one
        )
        insert into figure_standing (tenant, device, assignee, open, waiting)
        select one, device, assignee, count(*), count(waiting_since) from chats where tenant = one and status = 'open' group by 2, 3;
        commit;
    end loop;
end $$
"""  # noqa: S608 - a constant


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
