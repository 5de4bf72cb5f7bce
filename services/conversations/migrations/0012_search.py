"""What is searched: the words of messages, the names of contacts and of files, kept by triggers and read by functions.

The functions run as the owner, whom these two tables show every row: under row-level security no operator of full text or trigrams may
use an index. They look at the transaction's tenants themselves, and find nothing of anybody else's.
"""

from alembic import op
from servicekit.migrations import tables

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_PATH = "set search_path = conversations, extensions, pg_temp"
_LOOKING = f"language plpgsql stable security definer rows 100 {_PATH} set plan_cache_mode = force_custom_plan set enable_seqscan = off"
_KEEPING = f"returns trigger language plpgsql security definer {_PATH}"


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    tables.extension(op, "unaccent", "pg_trgm", "btree_gin")
    _tables()
    _keeping()
    _looking()
    _what_is_here()


def _tables() -> None:
    # The week stands in the index, so that a word is looked for in some weeks only, the newest first.
    op.execute("""
        create table message_words (
            tenant uuid not null,
            message uuid not null,
            at timestamptz not null,
            week integer not null,
            words tsvector not null,
            primary key (tenant, message)
        )
    """)
    op.execute("create index message_words_newest on message_words (tenant, at desc, message desc)")
    op.execute("create index message_words_words on message_words using gin (tenant, week, words) with (gin_pending_list_limit = 512)")
    # 'plain' begins with a space, so that a pattern can ask for how a word begins.
    op.execute("""
        create table searched_names (
            tenant uuid not null,
            sort text not null check (sort in ('contact', 'file')),
            id uuid not null,
            at timestamptz not null,
            plain text not null,
            primary key (tenant, sort, id)
        )
    """)
    op.execute("create index searched_names_newest on searched_names (tenant, sort, at desc, id desc)")
    op.execute("""
        create index searched_names_plain on searched_names using gin (tenant, sort, plain gin_trgm_ops)
            with (gin_pending_list_limit = 512)
    """)
    tables.tenant_named(op, "message_words", "searched_names")
    for table in ("message_words", "searched_names"):
        op.execute(f"create policy search on {table} to current_user using (true) with check (true)")
        op.execute(f"revoke insert, update, delete on {table} from conversations")


def _keeping() -> None:
    op.execute("""
        create function plain(said text) returns text language sql stable set search_path = pg_catalog return
            btrim(regexp_replace(
                lower(extensions.unaccent('extensions.unaccent', left(said, 65536))), '[^[:alnum:]]+', ' ', 'g'))
    """)
    op.execute("""
        create function week_of(at timestamptz) returns integer language sql immutable
            return floor(extract(epoch from at) / 604800)::integer
    """)
    op.execute(f"""
        create function keep_new_messages() {_KEEPING} as $$
        begin
            insert into message_words (tenant, message, at, week, words)
            select n.tenant, n.id, n.at, week_of(n.at), to_tsvector('pg_catalog.simple', plain(n.text)) from new_rows n
             where n.text <> '' and n.deleted_at is null
            on conflict (tenant, message) do update set at = excluded.at, week = excluded.week, words = excluded.words;
            insert into searched_names (tenant, sort, id, at, plain)
            select n.tenant, 'file', n.id, n.at, ' ' || plain(n.media ->> 'file_name') from new_rows n
             where n.media ->> 'file_name' <> '' and n.deleted_at is null
            on conflict (tenant, sort, id) do update set at = excluded.at, plain = excluded.plain;
            return null;
        end $$
    """)  # noqa: S608 - constants
    op.execute(f"""
        create function keep_changed_message() {_KEEPING} as $$
        begin
            if new.text <> '' and new.deleted_at is null then
                insert into message_words (tenant, message, at, week, words)
                values (new.tenant, new.id, new.at, week_of(new.at), to_tsvector('pg_catalog.simple', plain(new.text)))
                on conflict (tenant, message) do update set at = excluded.at, week = excluded.week, words = excluded.words;
            else
                delete from message_words where tenant = new.tenant and message = new.id;
            end if;
            if new.media ->> 'file_name' <> '' and new.deleted_at is null then
                insert into searched_names (tenant, sort, id, at, plain)
                values (new.tenant, 'file', new.id, new.at, ' ' || plain(new.media ->> 'file_name'))
                on conflict (tenant, sort, id) do update set at = excluded.at, plain = excluded.plain;
            else
                delete from searched_names where tenant = new.tenant and sort = 'file' and id = new.id;
            end if;
            return null;
        end $$
    """)  # noqa: S608 - constants
    op.execute(f"""
        create function forget_messages() {_KEEPING} as $$
        begin
            delete from message_words w using old_rows o where w.tenant = o.tenant and w.message = o.id;
            delete from searched_names s using old_rows o where s.tenant = o.tenant and s.sort = 'file' and s.id = o.id;
            return null;
        end $$
    """)  # noqa: S608 - constants
    op.execute(f"""
        create function keep_contact() {_KEEPING} as $$
        begin
            if tg_op = 'DELETE' then
                delete from searched_names where tenant = old.tenant and sort = 'contact' and id = old.id;
            else
                insert into searched_names (tenant, sort, id, at, plain)
                values (new.tenant, 'contact', new.id, new.created_at,
                        ' ' || plain(concat_ws(' ', new.given_name, new.push_name, new.phone)))
                on conflict (tenant, sort, id) do update set plain = excluded.plain;
            end if;
            return null;
        end $$
    """)  # noqa: S608 - constants
    op.execute("""
        create trigger search_new after insert on messages referencing new table as new_rows
            for each statement execute function keep_new_messages()
    """)
    op.execute("""
        create trigger search_changed after update of text, media, at, deleted_at on messages for each row
            when (old.text is distinct from new.text or old.at <> new.at or old.deleted_at is distinct from new.deleted_at
                  or old.media ->> 'file_name' is distinct from new.media ->> 'file_name')
            execute function keep_changed_message()
    """)
    op.execute("""
        create trigger search_gone after delete on messages referencing old table as old_rows
            for each statement execute function forget_messages()
    """)
    op.execute("create trigger search_kept after insert or delete on contacts for each row execute function keep_contact()")
    op.execute("""
        create trigger search_changed after update of given_name, push_name, phone on contacts for each row
            when ((old.given_name, old.push_name, old.phone) is distinct from (new.given_name, new.push_name, new.phone))
            execute function keep_contact()
    """)
    # A trigger needs nobody's leave to run its function; on a table of the service's own it would write into other accounts.
    op.execute("""
        revoke execute on function keep_new_messages(), keep_changed_message(), forget_messages(), keep_contact()
            from conversations, conversations_system
    """)


def _looking() -> None:
    op.execute("""
        create function wanted_words(terms text[], unfinished boolean) returns tsquery language plpgsql stable
            set search_path = conversations, extensions, pg_temp as $$
        declare
            whole tsquery;
            one tsquery;
        begin
            for place in 1 .. cardinality(terms) loop
                one := phraseto_tsquery('pg_catalog.simple', plain(terms[place]));
                if numnode(one) > 0 and unfinished and place = cardinality(terms) then
                    one := (one::text || ':*')::tsquery;
                end if;
                whole := case when numnode(one) = 0 then whole else coalesce(whole && one, one) end;
            end loop;
            return whole;
        end $$
    """)
    # The newest rows are looked through one by one, which finds a page of any common word; what is rarer than that is few enough to be
    # sorted, week by week: at first as many weeks as the share among the newest lets expect, then eight times as many.
    op.execute(f"""
        create function search_messages(
            whose uuid, wanted tsquery, since timestamptz, before_at timestamptz, before_id uuid, most integer
        ) returns table (hit_id uuid, said_at timestamptz) {_LOOKING} as $$
        declare
            looked integer := 0;
            hits integer := 0;
            newest timestamptz;
            oldest timestamptz;
            step bigint;
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
                 order by w.at desc, w.message desc limit 2000
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
            end loop;
            if looked < 2000 then
                return;
            end if;
            select w.at into oldest from message_words w where w.tenant = whose and w.at >= since order by w.at limit 1;
            step := ceil(extract(epoch from newest - before_at) / 604800 * case when hits > 0 then 2.0 * (most - hits) / hits else 64 end);
            step := greatest(1, least(step, 10000));
            while before_at >= oldest loop
                high := week_of(before_at);
                low := greatest(high - step + 1, week_of(oldest));
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
                step := step * 8;
            end loop;
        end $$
    """)  # noqa: S608 - constants
    op.execute(f"""
        create function search_names(
            whose uuid, kind text, terms text[], since timestamptz, before_at timestamptz, before_id uuid, most integer
        ) returns table (hit_id uuid, named_at timestamptz) {_LOOKING} as $$
        declare
            patterns text[];
            longest text;
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
             where s.tenant = whose and s.sort = kind and s.plain like longest and s.plain like all (patterns)
               and (s.at, s.id) < (before_at, before_id) and s.at >= since
             order by s.at + interval '0 s' desc, s.id desc limit most - hits;
        end $$
    """)  # noqa: S608 - constants
    op.execute(f"""
        create function search_similar(whose uuid, kind text, said text, since timestamptz, before timestamptz, most integer)
            returns table (hit_id uuid, named_at timestamptz) {_LOOKING} as $$
        declare
            asked text := plain(said);
        begin
            if length(asked) < 3 or not coalesce(whose = any (nullif(current_setting('app.tenants', true), '')::uuid[]), false) then
                return;
            end if;
            perform set_config('pg_trgm.word_similarity_threshold', '0.5', true);
            return query
            select s.id, s.at from searched_names s
             where s.tenant = whose and s.sort = kind and asked <% s.plain and s.at >= since and s.at < before
             order by word_similarity(asked, s.plain) desc, s.at desc, s.id desc limit most;
        end $$
    """)  # noqa: S608 - constants


def _what_is_here() -> None:
    """What was said before is searched too; row-level security shows it to a superuser alone."""
    with op.get_context().autocommit_block(), tables.as_admin(op) as superuser:
        if superuser:
            op.execute("""
                insert into message_words (tenant, message, at, week, words)
                select m.tenant, m.id, m.at, week_of(m.at), to_tsvector('pg_catalog.simple', plain(m.text)) from messages m
                 where m.text <> '' and m.deleted_at is null on conflict do nothing
            """)
            op.execute("""
                insert into searched_names (tenant, sort, id, at, plain)
                select m.tenant, 'file', m.id, m.at, ' ' || plain(m.media ->> 'file_name') from messages m
                 where m.media ->> 'file_name' <> '' and m.deleted_at is null
                union all
                select k.tenant, 'contact', k.id, k.created_at, ' ' || plain(concat_ws(' ', k.given_name, k.push_name, k.phone))
                  from contacts k
                on conflict do nothing
            """)


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
