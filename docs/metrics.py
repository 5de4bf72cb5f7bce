"""Which metrics there are: read from the code that declares them, for their reference, the dashboards and the alerts."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = {"Counter": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count")}
NAME = re.compile(r"\bclarin_[a-z0-9_]+")


@dataclass(frozen=True, slots=True, order=True)
class Metric:
    """One metric as its declaration says; *name* without what Prometheus appends."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which it is scraped."""
        return tuple(self.name.removesuffix("_total") + end for end in KINDS[self.kind])


def declared() -> list[Metric]:
    """Find every metric that a service declares."""
    files = (*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("libs/servicekit/src/**/*.py"))
    return sorted({metric for path in files for metric in _in(ast.parse(path.read_text()))})


def _in(tree: ast.Module) -> Iterator[Metric]:
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in KINDS and len(call.args) > 1):
            continue
        name, text, *more = call.args
        if isinstance(name, ast.Constant) and str(name.value).startswith("clarin_"):
            labels = tuple(ast.literal_eval(more[0])) if more else ()
            yield Metric(str(name.value), call.func.id, labels, ast.literal_eval(text))


def _row(one: Metric) -> str:
    name = one.name if one.kind == "Histogram" else one.series[0]
    return f"| `{name}` | {one.kind.lower()} | {', '.join(f'`{label}`' for label in one.labels)} | {one.help} |"


def reference() -> str:
    """Write the page that names them all."""
    rows = "\n".join(_row(one) for one in declared())
    return f"""# Metrics

Every process answers `/metrics`. Written by `make generate` from the code that declares them.

A name is `clarin_<service or plumbing>_<what>_<unit>`: `devices` is the device-worker, `bus` and `outbox` are in every process. Seconds and
bytes are plain; counters end in `_total`; of a histogram there are `_bucket`, `_sum` and `_count`. No label holds an account, a number or a
person: what is about one of those stands in the API.

| metric | kind | labels | what it says |
|---|---|---|---|
{rows}
"""
