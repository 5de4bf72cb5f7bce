"""Percentiles, and how a result is printed."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def percentile(values: Sequence[float], share: float) -> float:
    """Give the smallest of *values* that *share* (0 to 1) of them do not exceed.  Raises: ValueError: none given."""
    if not values:
        raise ValueError("No values: nothing was measured.")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """Sum up latencies (seconds) in milliseconds."""
    return {f"p{round(share * 100)}_ms": round(percentile(seconds, share) * 1000, 1) for share in (0.5, 0.95, 0.99)} | {
        "max_ms": round(max(seconds) * 1000, 1)
    }


def show(result: dict[str, Any], *, as_json: bool) -> None:
    """Print a result: a table for a person, and with *as_json* the object on the last line."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("figure", "value"):
        table.add_column(heading)
    for name, value in result.items():
        if not isinstance(value, list | dict):
            table.add_row(name, str(value))
    console.print(table)
    if as_json:
        print(json.dumps(result), flush=True)
