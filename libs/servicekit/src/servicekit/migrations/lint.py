"""Version files that would hold up a table in use, found by reading them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_REASON = 20  # letters
_NAME = r'(?:"?[\w]+"?\.)?"?(?P<table>\w+)"?'
_CREATED = re.compile(rf"\bcreate\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?{_NAME}", re.IGNORECASE)
_INDEX = re.compile(
    rf"\bcreate\s+(?:unique\s+)?index\s+(?P<concurrently>concurrently\b)?.*?\bon\s+(?:only\s+)?{_NAME}", re.IGNORECASE | re.DOTALL
)
_ALTER = re.compile(rf"\balter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?{_NAME}\s+(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_DROPS = ": the code that runs now may still use it; where none does any more, the file says so with contract = 'why'"
_DROPPED = re.compile(rf"\bdrop\s+(?:table|view|materialized\s+view)\s+(?:if\s+exists\s+)?{_NAME}", re.IGNORECASE)
_CLAUSES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), why)
    for pattern, why in (
        (
            r"\badd\s+column\b(?!.*\bdefault\b|.*\bgenerated\b).*\bnot\s+null\b",
            "adds a column that is not null and has no default: every row breaks it",
        ),
        (r"\badd\s+column\b.*\bgenerated\s+always\s+as\s*\(.*\bstored\b", "adds a stored generated column: the whole table is rewritten"),
        (
            r"\badd\s+column\b.*\bdefault\s+(?:gen_random_uuid|uuidv7|clock_timestamp|random|nextval)\s*\(",
            "adds a column with a volatile default: the whole table is rewritten",
        ),
        (r"\balter\s+(?:column\s+)?\S+\s+(?:set\s+data\s+)?type\b", "changes a column's type: the whole table is rewritten"),
        (
            r"\balter\s+(?:column\s+)?\S+\s+set\s+not\s+null\b",
            "sets not null: the table is read under a lock; add a check constraint not valid, validate it, then set it",
        ),
        (
            r"\badd\s+(?:constraint\s+\S+\s+)?(?:foreign\s+key|check)\b(?!.*\bnot\s+valid\b)",
            "adds a constraint without not valid: the table is read under a lock; validate it in a later statement",
        ),
        (
            r"\badd\s+(?:constraint\s+\S+\s+)?(?:unique|primary\s+key)\b(?!\s+using\s+index)",
            "adds a unique constraint without using index: make the index concurrently first",
        ),
        (r"\brename\b", "renames: the code that runs now still uses the old name"),
        (r"\bdrop\s+(?:column\b|(?!constraint\b|default\b|not\b|expression\b|identity\b|column\b)\w)", "drops a column" + _DROPS),
    )
)
_ANYWHERE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), why)
    for pattern, why in (
        (r"\block\s+table\b", "locks a table"),
        (r"\bvacuum\s+full\b|\bcluster\s+\w", "rewrites a table under a lock"),
        (r"\bset\s+(?:local\s+|session\s+)?lock_timeout\s*(?:=|to)\s*'?0", "waits for a lock without limit"),
        (r"\bdisable\s+row\s+level\s+security\b|\bno\s+force\s+row\s+level\s+security\b", "opens a table to other tenants"),
    )
)


class _Step(NamedTuple):
    line: int
    sql: str


def lint(folder: Path) -> list[str]:
    """Say, one line each, what in the version files of *folder* would hold up or break a table in use; empty when all is well.

    The first version may do anything: nothing is there yet. Later ones may do anything to a table that they make themselves.
    What drops something is the second half of a change, whose first half no process needs it since: such a file says why that
    is so, in a line ``contract = "…"``, and does nothing else that would be found here.
    The runner itself sets a lock time-out.
    """
    complaints: list[str] = []
    for path in sorted(folder.glob("*.py")):
        tree = ast.parse(path.read_text(), path.name)
        if not _is_first(tree):
            contracts = _is_contract(tree)
            found = [(line, why) for line, why in _complaints(tree) if not (contracts and why.endswith(_DROPS))]
            complaints += [f"{path.name}:{line}: {why}." for line, why in found]
    return complaints


def _is_first(tree: ast.Module) -> bool:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if any(isinstance(target, ast.Name) and target.id == "down_revision" for target in targets):
            value = getattr(node, "value", None)
            return isinstance(value, ast.Constant) and value.value is None
    return False


def _is_contract(tree: ast.Module) -> bool:
    """Tell whether the file says why what it drops is not needed by anybody; a word or two are no reason."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "contract" for target in node.targets):
            return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) and len(node.value.value) >= _REASON
    return False


def _complaints(tree: ast.Module) -> Iterator[tuple[int, str]]:
    body: list[ast.AST] = [node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name == "downgrade")]
    nodes = [inner for node in body for inner in ast.walk(node)]
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    steps = [step for node in nodes for step in _statements(node)]
    new = {match["table"] for step in steps if (match := _CREATED.search(step.sql))}
    new |= {name for call in calls if _called(call) == "create_table" and (name := _text(call, 0, "table_name"))}
    for step in steps:
        yield from ((step.line, why) for why in _of_sql(step.sql, new))
    for call in calls:
        yield from ((call.lineno, why) for why in _of_operation(call, new))


def _statements(node: ast.AST) -> Iterator[_Step]:
    if isinstance(node, ast.JoinedStr):
        text = "".join(part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "x" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    else:
        return
    text = re.sub(r"--[^\n]*", "", text)
    for sql in text.split(";"):
        if sql.strip():
            yield _Step(node.lineno, " ".join(sql.split()))


def _of_sql(sql: str, new: set[str]) -> Iterator[str]:
    index = _INDEX.search(sql)
    if index and not index["concurrently"] and index["table"] not in new:
        yield f"makes an index on {index['table']} without concurrently: nobody can write to it meanwhile"
    dropped = _DROPPED.search(sql)
    if dropped and dropped["table"] not in new:
        yield f"drops {dropped['table']}{_DROPS}"
    alter = _ALTER.search(sql)
    if alter and alter["table"] not in new:
        # split at the commas between clauses, so that one clause's default does not excuse another's
        for clause in re.split(r",\s*(?=(?:add|alter|drop|rename|set|enable|force)\b)", alter["rest"], flags=re.IGNORECASE):
            yield from (f"{alter['table']}: {why}" for pattern, why in _CLAUSES if pattern.search(clause))
    yield from (why for pattern, why in _ANYWHERE if pattern.search(sql))


def _of_operation(call: ast.Call, new: set[str]) -> Iterator[str]:
    match _called(call):
        case "create_index":
            table = _text(call, 1, "table_name")
            if table not in new and not _true(call, "postgresql_concurrently"):
                yield f"makes an index on {table} without postgresql_concurrently: nobody can write to it meanwhile"
        case "add_column":
            table = _text(call, 0, "table_name")
            column = next((inner for inner in ast.walk(call) if isinstance(inner, ast.Call) and _called(inner) == "Column"), None)
            if table not in new and column is not None and _false(column, "nullable") and not _keyword(column, "server_default"):
                yield f"{table}: adds a column that is not null and has no server_default: every row breaks it"
        case "alter_column":
            table = _text(call, 0, "table_name")
            if table not in new and _keyword(call, "type_"):
                yield f"{table}: changes a column's type: the whole table is rewritten"
            if table not in new and _false(call, "nullable"):
                yield f"{table}: sets not null: the table is read under a lock"
            if table not in new and _keyword(call, "new_column_name"):
                yield f"{table}: renames: the code that runs now still uses the old name"
        case "rename_table":
            yield f"{_text(call, 0, 'old_table_name')}: renames: the code that runs now still uses the old name"
        case "drop_column" | "drop_table":
            table = _text(call, 0, "table_name")
            if table not in new:
                yield f"{table}: drops {'a column' if _called(call) == 'drop_column' else 'the table'}{_DROPS}"
        case "create_foreign_key":
            table = _text(call, 1, "source_table")
            if table not in new and not _true(call, "postgresql_not_valid"):
                yield f"{table}: adds a foreign key without postgresql_not_valid: the table is read under a lock"
        case "create_check_constraint" | "create_unique_constraint" | "create_primary_key":
            table = _text(call, 1, "table_name")
            if table not in new:
                yield f"{table}: adds a constraint under a lock: write it in SQL, with not valid or using index"


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id if isinstance(call.func, ast.Name) else ""


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _text(call: ast.Call, position: int, name: str) -> str | None:
    node = call.args[position] if len(call.args) > position else _keyword(call, name)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _true(call: ast.Call, name: str) -> bool:
    node = _keyword(call, name)
    return isinstance(node, ast.Constant) and node.value is True


def _false(call: ast.Call, name: str) -> bool:
    node = _keyword(call, name)
    return isinstance(node, ast.Constant) and node.value is False
