"""Tables as CSV that a spreadsheet shows and does not run."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

BOM = "\ufeff"
"""What a file of CSV begins with, so that Excel reads it as UTF-8."""

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Write *rows* as CSV (RFC 4180) with a byte order mark, so that Excel reads it as UTF-8; a text that begins like a formula is none."""
    out = io.StringIO()
    out.write(BOM)
    out.write(lines([columns]))
    out.write(lines([row.get(column) for column in columns] for row in rows))
    return out.getvalue()


def lines(rows: Iterable[Sequence[object]]) -> str:
    """Write *rows* as lines of CSV, for a file that is written in parts and begins with `BOM`."""
    out = io.StringIO()
    csv.writer(out).writerows([harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def harmless(value: object) -> object:
    """Give a cell that no spreadsheet takes for a formula (OWASP, CSV injection): a text that begins like one gets an apostrophe."""
    if not isinstance(value, str):
        return "" if value is None else value
    return f"'{value}" if value.lstrip(" ").startswith(_STARTS) or value.startswith(_STARTS) else value
