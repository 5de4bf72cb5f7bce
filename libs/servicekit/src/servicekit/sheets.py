"""Tables as CSV that a spreadsheet shows and does not run."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Write *rows* as CSV (RFC 4180) with a byte order mark, so that Excel reads it as UTF-8; a text that begins like a formula is none."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([[harmless(row.get(column)) for column in columns] for row in rows])
    return out.getvalue()


def harmless(value: object) -> object:
    """Give a cell that no spreadsheet takes for a formula (OWASP, CSV injection): a text that begins like one gets an apostrophe."""
    if not isinstance(value, str):
        return "" if value is None else value
    return f"'{value}" if value.lstrip(" ").startswith(_STARTS) or value.startswith(_STARTS) else value
