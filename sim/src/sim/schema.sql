create table if not exists phones (
    number text primary key, lid text not null unique, name text not null, secrets blob not null,
    next_prekey integer not null, next_device integer not null,
    auto_receipts text not null, address text not null, banned_until real not null
) without rowid;

create table if not exists companions (
    number text not null, device integer not null, identity blob not null, noise blob not null,
    registration integer not null, signed_id integer not null, signed blob not null, signature blob not null,
    history integer not null, linked_at real not null, primary key (number, device)
) without rowid;

create table if not exists prekeys (
    number text not null, device integer not null, id integer not null, value blob not null, primary key (number, device, id)
) without rowid;

create table if not exists ratchets (
    number text not null, address text not null, record blob not null, primary key (number, address)
) without rowid;

-- What a session has not acknowledged yet, in order.
create table if not exists queue (
    seq integer primary key, number text not null, device integer not null, class text not null, id text not null, node blob not null
);

-- Messages for a session that has published no keys yet.
create table if not exists waiting (
    seq integer primary key, number text not null, device integer not null, sender text not null, id text not null
);

-- What a phone decrypted, in that order.
create table if not exists inbox (
    number text not null, n integer not null, id text not null, sender text not null, recipient text not null, device integer not null,
    server text not null, kind text not null, text text not null, media blob, at text not null, primary key (number, n)
) without rowid;
create unique index if not exists inbox_once on inbox (number, sender, id);

-- What a phone wrote: its retry memory and its side of every chat.
create table if not exists sent (
    number text not null, id text not null, n integer not null, recipient text not null, category text not null,
    server text not null, kind text not null, text text not null, media blob, message blob not null, at text not null, primary key (number, id)
) without rowid;

-- The ticks a phone saw.
create table if not exists receipts (
    number text not null, n integer not null, id text not null, sender text not null, device integer not null, type text not null,
    at text not null, primary key (number, n)
) without rowid;
create index if not exists receipts_of on receipts (number, id);

-- Whom a phone has blocked.
create table if not exists blocks (number text not null, other text not null, primary key (number, other)) without rowid;

create table if not exists groups (id text primary key, what blob not null) without rowid;

-- A phone's own key of a group (no address), and those that other devices gave it.
create table if not exists group_keys (
    number text not null, grp text not null, address text not null, key blob not null, primary key (number, grp, address)
) without rowid;
