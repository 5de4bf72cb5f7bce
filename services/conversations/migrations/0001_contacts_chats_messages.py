"""Contacts, chats and messages, with what the consumer needs beside them.

Every key begins with the tenant. Text that is searched by its beginning has the collation "C": its comparison operators
are leakproof, so that row-level security lets them use an index.
"""

from alembic import op
from servicekit.migrations import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "devices",
    "contacts",
    "contact_aliases",
    "contact_redirects",
    "chats",
    "chat_redirects",
    "messages",
    "message_redirects",
    "pending_receipts",
)


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("""
        create table devices (
            tenant uuid not null,
            id uuid not null,
            name text not null default '',
            state text not null default 'new',
            phone text,
            revision bigint not null default -1,
            deleted boolean not null default false,
            primary key (tenant, id)
        )
    """)
    op.execute("""
        create table contacts (
            tenant uuid not null,
            id uuid not null,
            given_name text,
            push_name text,
            push_name_at timestamptz,
            phone text collate "C",
            created_at timestamptz not null default now(),
            name text generated always as (coalesce(given_name, push_name)) stored,
            sought text collate "C" generated always as (lower(coalesce(given_name, push_name))) stored,
            primary key (tenant, id)
        )
    """)
    op.execute("create index contacts_sought on contacts (tenant, sought)")
    op.execute("create index contacts_phone on contacts (tenant, phone) where phone is not null")
    op.execute("""
        create table contact_aliases (
            tenant uuid not null,
            kind text not null check (kind in ('pn', 'lid', 'username')),
            value text not null,
            contact uuid not null,
            learned_at timestamptz not null default now(),
            primary key (tenant, kind, value)
        )
    """)
    op.execute("create index contact_aliases_contact on contact_aliases (tenant, contact)")
    op.execute("""
        create table contact_redirects (
            tenant uuid not null, old uuid not null, new uuid not null,
            primary key (tenant, old)
        )
    """)
    op.execute("create index contact_redirects_new on contact_redirects (tenant, new)")
    op.execute("""
        create table chats (
            tenant uuid not null,
            id uuid not null,
            device uuid not null,
            contact uuid,
            group_address text,
            name text,
            address_kind text not null,
            address_value text not null,
            address_at timestamptz,
            unread integer not null default 0,
            last_message_at timestamptz not null,
            last_message_id uuid,
            created_at timestamptz not null default now(),
            primary key (tenant, id),
            check ((contact is null) <> (group_address is null))
        )
    """)
    op.execute("create unique index chats_contact on chats (tenant, device, contact) where contact is not null")
    op.execute("create unique index chats_group on chats (tenant, device, group_address) where group_address is not null")
    op.execute("create index chats_of_contact on chats (tenant, contact) where contact is not null")
    op.execute("create index chats_newest on chats (tenant, last_message_at desc, id desc)")
    op.execute("create index chats_newest_of_device on chats (tenant, device, last_message_at desc, id desc)")
    op.execute("create index chats_newest_unread on chats (tenant, last_message_at desc, id desc) where unread > 0")
    op.execute("""
        create table chat_redirects (
            tenant uuid not null, old uuid not null, new uuid not null,
            primary key (tenant, old)
        )
    """)
    op.execute("create index chat_redirects_new on chat_redirects (tenant, new)")
    op.execute("""
        create table messages (
            tenant uuid not null,
            id uuid not null,
            device uuid not null,
            chat uuid not null,
            wa_id text,
            from_me boolean not null,
            participant text not null default '',
            sender_name text,
            kind text not null,
            text text,
            status text not null,
            reason text,
            author uuid,
            at timestamptz not null,
            media jsonb,
            quoted uuid,
            guessed boolean not null default false,
            unseen boolean not null default false,
            history boolean not null default false,
            ephemeral boolean not null default false,
            primary key (tenant, id)
        )
    """)
    op.execute("""
        create unique index messages_whatsapp on messages (tenant, device, wa_id, chat, participant, from_me) where wa_id is not null
    """)
    op.execute("create index messages_newest on messages (tenant, chat, at desc, id desc)")
    op.execute("create index messages_unseen on messages (tenant, chat) where unseen")
    op.execute("create index messages_nameless on messages (tenant, chat) where wa_id is null")
    op.execute("""
        create table message_redirects (
            tenant uuid not null, old uuid not null, new uuid not null,
            primary key (tenant, old)
        )
    """)
    op.execute("""
        create table pending_receipts (
            tenant uuid not null,
            device uuid not null,
            wa_id text not null,
            own boolean not null,
            status text not null,
            at timestamptz not null,
            chat uuid,
            kept_at timestamptz not null default now(),
            primary key (tenant, device, wa_id, own)
        )
    """)
    op.execute("create index pending_receipts_chat on pending_receipts (tenant, chat) where chat is not null and not own")
    op.execute("create index pending_receipts_kept_at on pending_receipts (kept_at)")
    tables.tenant_named(op, *TABLES)
    tables.outbox(op)
    tables.idempotency(op)
    tables.system_access(op, "pending_receipts", "select, delete")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
