"""A process of its own that reads one list and writes what stands in it to stdout, one JSON a line.

A spreadsheet is a program's worth of parser over somebody's bytes: here it has a bound of memory and time, and the service's own
loop does not wait for it. It is run as a file, by `conversations.files.sheets`, with what is wanted on stdin.
"""

import csv
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal

import charset_normalizer
import msgspec
import python_calamine

from conversations.domain.columns import MOST, Mapping
from conversations.domain.profiles import Field, State
from conversations.domain.rows import CELL_KEPT, Reader, Refused, Said

_SAMPLE = 256 << 10
_CELL = 5_000
_UNPACKED = 1 << 30
_HEAD = 6
_DELIMITERS = ",;\t|"
_ENCODINGS = ["cp1252", "utf_16_le", "utf_16_be", "mac_roman", "cp850"]
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with the file.

    Attributes:
        mapping: None: only look at it.
        after: The last row that is known already.
        most: Rows, besides the one that names the columns.
    """

    file: str
    most: int
    mapping: Mapping | None = None
    states: tuple[State, ...] = ()
    fields: tuple[Field, ...] = ()
    after: int = 0


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a list looks like.

    Attributes:
        rows: That are not empty, the one that names the columns with them; one more than may be where there are more.
        head: The first rows.
    """

    kind: Literal["csv", "sheet"]
    rows: int
    width: int
    head: tuple[tuple[str, ...], ...]
    encoding: str | None = None
    delimiter: str | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row as it was read."""

    row: int
    said: Said | None = None
    refused: Refused | None = None
    cells: tuple[str, ...] = ()


class Unreadable(Exception):
    """It is no list, and the text says why."""


def main() -> None:
    """Do what stands on stdin."""
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Wanted)
    encode, out = msgspec.json.Encoder().encode, sys.stdout.buffer
    try:
        if wanted.mapping is None:
            out.write(encode(look(Path(wanted.file), wanted.most)) + b"\n")
        else:
            for row in read(wanted, wanted.mapping):
                out.write(encode(row) + b"\n")
    except Unreadable as error:
        out.flush()
        sys.stderr.write(str(error))
        raise SystemExit(3) from None
    out.flush()


def look(file: Path, most: int) -> Seen:
    """Say what stands in it."""
    kind, encoding, delimiter, rows = opened(file)
    count, width, head = 0, 0, list[tuple[str, ...]]()
    for _, cells in rows:
        if not any(cells):
            continue
        count += 1
        width = max(width, next((place for place in range(len(cells), 0, -1) if cells[place - 1]), 0))
        if width > MOST:
            raise Unreadable(f"It has more than {MOST} columns.")
        if len(head) < _HEAD:
            head.append(tuple(cells))
        if count > most + 1:
            break
    if not count:
        raise Unreadable("There is nothing in it.")
    shown = tuple(tuple(cell[:CELL_KEPT] for cell in (*cells[:width], *[""] * (width - len(cells)))) for cells in head)
    return Seen(kind=kind, rows=count, width=width, head=shown, encoding=encoding, delimiter=delimiter)


def read(wanted: Wanted, mapping: Mapping) -> Iterator[Row]:
    """Give each row that is not empty, from behind the last one known."""
    reader = Reader(mapping, wanted.states, wanted.fields)
    count, head = 0, mapping.header
    for number, cells in opened(Path(wanted.file))[3]:
        if not any(cells):
            continue
        if head:
            head = False
            continue
        count += 1
        if count > wanted.most:
            raise Unreadable(f"It has more than {wanted.most} rows.")
        if number <= wanted.after:
            continue
        kept = tuple(cell[:CELL_KEPT] for cell in cells[: len(mapping.columns)])
        match reader.read(number, cells):
            case Said() as said:
                yield Row(row=number, said=said, cells=kept)
            case Refused() as refused:
                yield Row(row=number, refused=refused, cells=kept)


def opened(file: Path) -> tuple[Literal["csv", "sheet"], str | None, str | None, Iterator[tuple[int, list[str]]]]:
    """Give what the file is, and its rows with their places from 1.  Raises: Unreadable."""
    with file.open("rb") as source:
        start = source.read(_SAMPLE)
    if not start.strip():
        raise Unreadable("The file is empty.")
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "sheet", None, None, _sheet(file)
    encoding = _encoding(file, start)
    text = start.decode(encoding, "replace")
    if any(ord(c) < 32 and c not in "\t\r\n\f\x1a" for c in text[:4096]):
        raise Unreadable("It is neither a spreadsheet nor text.")
    if text.lstrip("\ufeff \r\n\t")[:1] == "<":
        raise Unreadable("It is a web page or XML: save it as CSV or XLSX.")
    delimiter = _delimiter(text)
    return "csv", encoding, delimiter, _text(file, encoding, delimiter)


def _encoding(file: Path, start: bytes) -> str:
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    if b"\0" not in start and _is_utf8(file):
        return "utf-8"
    best = charset_normalizer.from_bytes(start, cp_isolation=_ENCODINGS).best()
    return "cp1252" if best is None else best.encoding


def _is_utf8(file: Path) -> bool:
    with file.open(encoding="utf-8") as text:
        try:
            while text.read(1 << 20):
                pass
        except UnicodeDecodeError:
            return False
    return True


def _delimiter(text: str) -> str:
    lines = text.splitlines()[:50]
    try:
        return csv.Sniffer().sniff("\n".join(lines), _DELIMITERS).delimiter
    except csv.Error:  # it guesses by what repeats: a list of one row, or of one column, has nothing that does
        return max(_DELIMITERS, key=lines[0].count) if lines else ","


def _text(file: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(_SAMPLE)
    with file.open(encoding=encoding, errors="replace", newline="") as source:
        rows = csv.reader(_without_nul(source), delimiter=delimiter)
        try:
            for number, cells in enumerate(rows, 1):
                yield number, [_clean(cell) for cell in cells]
        except csv.Error as error:
            raise Unreadable(f"Line {rows.line_num} cannot be read: {error}.") from error


def _without_nul(lines: Any) -> Iterator[str]:
    for line in lines:
        yield line.replace("\0", "")


def _sheet(file: Path) -> Iterator[tuple[int, list[str]]]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as packed:
            if sum(one.file_size for one in packed.infolist()) > _UNPACKED:
                raise Unreadable("There is too much in it.")
    try:
        with python_calamine.CalamineWorkbook.from_path(file) as book:
            sheets = [one for one in book.sheets_metadata if one.visible == python_calamine.SheetVisibleEnum.Visible]
            if not sheets:
                raise Unreadable("There is no sheet in it.")
            sheet = book.get_sheet_by_name(sheets[0].name)
            for number, cells in enumerate(sheet.iter_rows(), 1):
                yield number, [_clean(_shown(cell)) for cell in cells]
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise Unreadable("It is a broken spreadsheet, or one with a password.") from error


def _shown(cell: object) -> str:
    """Write a cell as its sheet shows it."""
    match cell:
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer() and abs(cell) < 1e16:
            return str(int(cell))
        case datetime() if cell.time() == time.min:
            return cell.date().isoformat()
        case datetime() | date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell)
    return str(cell)


def _clean(cell: str) -> str:
    return cell.replace("\0", "").strip()[:_CELL]


if __name__ == "__main__":
    main()
