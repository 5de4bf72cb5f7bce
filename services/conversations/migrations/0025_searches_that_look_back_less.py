"""A search looks back no further than what it found so far lets expect, and compares no more names than a page is chosen from."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_PATH = "set search_path = conversations, extensions, pg_temp"
_LOOKING = f"language plpgsql stable security definer rows 100 {_PATH} set plan_cache_mode = force_custom_plan set enable_seqscan = off"


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    # The newest rows are looked through one by one, as long as that is to fill the page soon; what is rarer than that is few enough to be
    # sorted, week by week: as many weeks as the share among those that were looked at lets expect, and where nothing was found eight
    # times as many. A beginning of many words makes an index gather all messages of all accounts that have one.
    op.execute(f"""
        create or replace function search_messages(
            whose uuid, wanted tsquery, since timestamptz, before_at timestamptz, before_id uuid, most integer
        ) returns table (hit_id uuid, said_at timestamptz) {_LOOKING} as $$
        declare
            looked integer := 0;
            hits integer := 0;
            newest timestamptz;
            oldest timestamptz;
            step bigint;
            known integer;
            rare boolean := false;
            low integer;
            high integer;
            one record;
        begin
            if wanted is null or not coalesce(whose = any (nullif(current_setting('app.tenants', true), '')::uuid[]), false) then
                return;
            end if;
            for one in
                select w.message, w.at, w.words @@ wanted as hit from message_words w
                 where w.tenant = whose and (w.at, w.message) < (before_at, before_id) and w.at >= since
                 order by w.at desc, w.message desc limit 8000
            loop
                looked := looked + 1;
                newest := coalesce(newest, one.at);
                before_at := one.at;
                before_id := one.message;
                if one.hit then
                    hit_id := one.message;
                    said_at := one.at;
                    return next;
                    hits := hits + 1;
                    if hits = most then
                        return;
                    end if;
                end if;
                rare := looked = 2000 and hits * 4 < most;
                exit when rare;
            end loop;
            if looked < 8000 and not rare then
                return;
            end if;
            select w.at into oldest from message_words w where w.tenant = whose and w.at >= since order by w.at limit 1;
            step := ceil(extract(epoch from newest - before_at) / 604800 * case when hits > 0 then 2.0 * (most - hits) / hits else 64 end);
            step := greatest(1, least(step, 10000));
            while before_at >= oldest loop
                high := week_of(before_at);
                low := greatest(high - step + 1, week_of(oldest));
                known := hits;
                for one in
                    select w.message, w.at from message_words w
                     where w.tenant = whose and w.words @@ wanted and (w.at, w.message) < (before_at, before_id) and w.at >= since
                       and (w.week = any (array(select generate_series(low, high))))
                     order by w.at + interval '0 s' desc, w.message desc limit most - hits
                loop
                    hit_id := one.message;
                    said_at := one.at;
                    return next;
                    hits := hits + 1;
                end loop;
                if hits = most then
                    return;
                end if;
                before_at := to_timestamp(low * 604800::bigint);
                before_id := '00000000-0000-0000-0000-000000000000';
                step := least(step * 8, case when hits > known then ceil(2.0 * step * (most - hits) / (hits - known)) else step * 8 end);
            end loop;
        end $$
    """)  # noqa: S608 - constants
    op.execute(f"""
        create or replace function search_names(
            whose uuid, kind text, terms text[], since timestamptz, before_at timestamptz, before_id uuid, most integer
        ) returns table (hit_id uuid, named_at timestamptz) {_LOOKING} as $$
        declare
            patterns text[];
            longest text;
            second text;
            looked integer := 0;
            hits integer := 0;
            one record;
        begin
            if not coalesce(whose = any (nullif(current_setting('app.tenants', true), '')::uuid[]), false) then
                return;
            end if;
            select array_agg(p order by length(p) desc) into patterns
              from (select case when length(t) < 3 then '% ' || t || '%' else '%' || t || '%' end as p
                      from (select plain(u) as t from unnest(terms) as u) t where t <> '') p;
            if patterns is null then
                return;
            end if;
            longest := patterns[1];
            second := coalesce(patterns[2], longest);
            for one in
                select s.id, s.at, s.plain like all (patterns) as hit from searched_names s
                 where s.tenant = whose and s.sort = kind and (s.at, s.id) < (before_at, before_id) and s.at >= since
                 order by s.at desc, s.id desc limit 2000
            loop
                looked := looked + 1;
                before_at := one.at;
                before_id := one.id;
                if one.hit then
                    hit_id := one.id;
                    named_at := one.at;
                    return next;
                    hits := hits + 1;
                    if hits = most then
                        return;
                    end if;
                end if;
            end loop;
            if looked < 2000 then
                return;
            end if;
            return query
            select s.id, s.at from searched_names s
             where s.tenant = whose and s.sort = kind and s.plain like longest and s.plain like second and s.plain like all (patterns)
               and (s.at, s.id) < (before_at, before_id) and s.at >= since
             order by s.at + interval '0 s' desc, s.id desc limit most - hits;
        end $$
    """)  # noqa: S608 - constants
    op.execute(f"""
        create or replace function search_similar(whose uuid, kind text, said text, since timestamptz, before timestamptz, most integer)
            returns table (hit_id uuid, named_at timestamptz) {_LOOKING} as $$
        declare
            asked text := plain(said);
            least_alike text;
        begin
            if length(asked) < 3 or not coalesce(whose = any (nullif(current_setting('app.tenants', true), '')::uuid[]), false) then
                return;
            end if;
            -- What is more alike comes first, and of what is alike so many are compared that nobody waits for it.
            foreach least_alike in array array['0.7', '0.6', '0.5'] loop
                perform set_config('pg_trgm.word_similarity_threshold', least_alike, true);
                return query
                select s.id, s.at from (
                    select f.id, f.at, f.plain from searched_names f
                     where f.tenant = whose and f.sort = kind and asked <% f.plain and f.at >= since and f.at < before
                     limit 10 * most
                ) s
                 order by word_similarity(asked, s.plain) desc, s.at desc, s.id desc limit most;
                exit when found;
            end loop;
        end $$
    """)  # noqa: S608 - constants


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
