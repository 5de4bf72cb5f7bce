"""Who is to be blocked on WhatsApp itself, number by number; once that is done, no address stands here any more."""

from alembic import op
from servicekit.migrations import tables

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute(
        """
        create table blocks (
            tenant uuid not null,
            id uuid not null,
            device uuid not null,
            shard smallint not null,
            blocked boolean not null,
            revision bigint not null,
            addresses jsonb not null,
            state text not null check (state in ('pending', 'done', 'failed')),
            attempts int not null default 0,
            not_before timestamptz,
            expires_at timestamptz not null,
            made_at timestamptz not null default now(),
            changed_at timestamptz not null default now(),
            primary key (tenant, id),
            foreign key (tenant, device) references devices (tenant, id) on delete cascade
        )
        """
    )
    op.execute("create index blocks_pending on blocks (shard, device, made_at) where state = 'pending'")
    op.execute("create index blocks_done on blocks (changed_at) where state <> 'pending'")
    tables.tenant_rls(op, "blocks")
    tables.system_access(op, "blocks", "select, update, delete")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
