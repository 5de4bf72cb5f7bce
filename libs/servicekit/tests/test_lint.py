from pathlib import Path

import pytest
from servicekit.migrations import lint
from servicekit.migrations.__main__ import main

HEAD = "from alembic import op\nimport sqlalchemy as sa\nrevision = '0002'\ndown_revision = {before}\n\n\ndef upgrade() -> None:\n"


def complaints(folder: Path, *lines: str, before="'0001'"):
    (folder / "0002_change.py").write_text(HEAD.format(before=before) + "".join(f"    {line}\n" for line in lines))
    return lint(folder)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("op.execute('create index i on chats (id)')", "without concurrently"),
        ("op.execute('CREATE UNIQUE INDEX i ON devices.chats USING gin (id)')", "without concurrently"),
        ("op.execute('''\n    create index i\n    on chats (id)''')", "without concurrently"),
        ("op.create_index('i', 'chats', ['id'])", "without postgresql_concurrently"),
        ("op.execute('alter table chats add column a int not null')", "no default"),
        ("op.execute('alter table chats add column b int default 1, add column a int not null')", "no default"),
        ("op.add_column('chats', sa.Column('a', sa.Integer, nullable=False))", "no server_default"),
        ("op.execute('alter table chats add column a uuid default gen_random_uuid()')", "volatile default"),
        ("op.execute('alter table chats add column a int generated always as (b + 1) stored')", "generated column"),
        ("op.execute('alter table chats alter column a type bigint')", "type"),
        ("op.execute('alter table only chats alter a set data type bigint')", "type"),
        ("op.alter_column('chats', 'a', type_=sa.BigInteger)", "type"),
        ("op.execute('alter table chats alter column a set not null')", "not null"),
        ("op.alter_column('chats', 'a', nullable=False)", "not null"),
        ("op.execute('alter table chats add constraint c check (a > 0)')", "not valid"),
        ("op.execute('alter table chats add constraint f foreign key (a) references b (id)')", "not valid"),
        ("op.execute('alter table chats add constraint u unique (a)')", "using index"),
        ("op.create_foreign_key('f', 'chats', 'b', ['a'], ['id'])", "postgresql_not_valid"),
        ("op.create_unique_constraint('u', 'chats', ['a'])", "under a lock"),
        ("op.execute('alter table chats rename column a to b')", "renames"),
        ("op.rename_table('chats', 'threads')", "renames"),
        ("op.alter_column('chats', 'a', new_column_name='b')", "renames"),
        ("op.execute('lock table chats')", "locks a table"),
        ("op.execute(\"set lock_timeout = '0'\")", "without limit"),
        ("op.execute('select 1; create index i on chats (id)')", "without concurrently"),
        ("op.execute(f'alter table {name} add column a int not null')", "no default"),
        ("op.execute('alter table chats disable row level security')", "other tenants"),
        ("op.execute('alter table chats drop column a')", "drops a column"),
        ("op.execute('alter table chats add column b int, drop a')", "drops a column"),
        ("op.execute('drop table if exists chats')", "drops chats"),
        ("op.drop_column('chats', 'a')", "drops a column"),
        ("op.drop_table('chats')", "drops the table"),
    ],
)
def test_what_holds_up_a_table_in_use_is_refused(tmp_path, line, why):
    found = complaints(tmp_path, line)
    assert len(found) == 1, found
    assert found[0].startswith("0002_change.py:")
    assert why in found[0]


@pytest.mark.parametrize(
    "line",
    [
        "op.execute('create index concurrently i on chats (id)')",
        "op.execute('create unique index concurrently if not exists i on chats (id)')",
        "op.create_index('i', 'chats', ['id'], postgresql_concurrently=True)",
        "op.execute('alter table chats add column a int')",
        "op.execute('alter table chats add column a int not null default 0')",
        "op.add_column('chats', sa.Column('a', sa.Integer))",
        "op.add_column('chats', sa.Column('a', sa.Integer, nullable=False, server_default='0'))",
        "op.execute('alter table chats add constraint c check (a > 0) not valid')",
        "op.execute('alter table chats validate constraint c')",
        "op.execute('alter table chats add constraint u unique using index i')",
        "op.execute('alter table chats drop constraint c')",
        "op.execute('alter table chats alter column a drop not null, alter column b drop default')",
        "op.execute('create table notes (id int)'); op.execute('drop table notes')",
        "op.execute('-- create index i on chats (id)')",
        "op.execute('update chats set a = 1')",
        "op.execute('create table notes (id int not null)'); op.execute('create index i on notes (id)')",
        "op.create_table('notes', sa.Column('id', sa.Integer)); op.create_index('i', 'notes', ['id'])",
    ],
)
def test_what_is_quick_passes(tmp_path, line):
    assert complaints(tmp_path, line) == []


def test_the_first_version_may_do_anything(tmp_path):
    assert complaints(tmp_path, "op.execute('create index i on chats (id)')", before="None") == []


@pytest.mark.parametrize(("reason", "count"), [("", 1), ("not needed", 1), ("Since 0007 nothing reads or writes the column.", 0)])
def test_what_nobody_needs_any_more_is_dropped_for_a_reason(tmp_path, reason, count):
    path = tmp_path / "0002_change.py"
    path.write_text(f"contract = {reason!r}\n" + HEAD.format(before="'0001'") + "    op.drop_column('chats', 'a')\n")
    assert len(lint(tmp_path)) == count
    path.write_text(path.read_text() + "    op.rename_table('chats', 'threads')\n")
    assert len(lint(tmp_path)) == count + 1, "a reason to drop is none to rename"


def test_a_downgrade_is_not_looked_at(tmp_path):
    assert complaints(tmp_path, "pass\n\n\ndef downgrade() -> None:", "op.rename_table('a', 'b')") == []


def test_the_command_line_fails_on_a_complaint(tmp_path, capsys):
    complaints(tmp_path, "op.rename_table('chats', 'threads')")
    assert main(["lint", str(tmp_path)]) == 1
    assert "renames" in capsys.readouterr().err
    assert main(["lint", str(Path(__file__).parent / "migrations")]) == 0
