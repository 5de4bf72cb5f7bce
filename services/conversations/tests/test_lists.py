"""Files of contacts as whatever program wrote them, and what is none."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from conversations.domain.columns import MOST, Mapping
from conversations.domain.errors import SheetInvalid
from conversations.files import sheets
from conversations.files.reader import Unreadable, Wanted, look, read

JOSE = "José Ñandú"


def a_sheet(*rows: tuple[Any, ...]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for place, row in enumerate(rows):
            sheet.write_row(place, 0, row)
    return out.getvalue()


def a_bomb() -> bytes:
    """A spreadsheet that says of itself that it unpacks to 2 GiB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("xl/worksheets/sheet1.xml", "<a/>")
    data = bytearray(out.getvalue())
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (1 << 31).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        f"Nombre;Teléfono\n{JOSE};+5511912345678\n".encode("latin-1"),
        f"Nombre;Teléfono\n{JOSE};+5511912345678\n".encode("utf-16"),
        f"Nombre,Teléfono\n{JOSE},+5511912345678\n".encode("utf-16-le"),
        f"\ufeffNombre\tTeléfono\r\n{JOSE}\t+5511912345678\r\n".encode(),
        f'"Nombre","Teléfono"\n"{JOSE}","+55 11 91234-5678"'.encode(),
        f"\n\nNombre|Teléfono\n\n{JOSE}|5511912345678\n\n".encode(),
        a_sheet(("Nombre", "Teléfono"), (JOSE, 5511912345678)),
        a_sheet((), ("Nombre", "Teléfono"), (), (JOSE, "'+55 11 91234-5678")),
    ],
)
def test_a_list_is_read_as_whatever_program_wrote_it(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "list"
    file.write_bytes(data)
    seen = look(file, 10)
    assert (seen.rows, seen.width, seen.head[0]) == (2, 2, ("Nombre", "Teléfono"))
    [row] = read(Wanted(file=str(file), most=10), Mapping(columns=("name", "phone")))
    assert row.said is not None
    assert (row.said.name, row.said.phone) == (JOSE, "5511912345678")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n \n",
        b"\x7fELF\x02\x01\x01" + bytes(range(32)) * 50,
        b"<!doctype html><table><tr><td>5511912345678</table>",
        ",".join(f"c{n}" for n in range(MOST * 2)).encode(),
        b"PK\x03\x04 not a spreadsheet",
        b'phone\n"' + b"x" * 300_000 + b'"\n',
        a_bomb(),
    ],
)
def test_what_is_no_list_is_refused_in_words(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "list"
    file.write_bytes(data)
    with pytest.raises(Unreadable, match=r"\w"):
        look(file, 10)


def test_a_list_with_more_rows_than_it_may_have_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text("phone\n" + "5511912345678\n" * 50)
    assert look(file, 10).rows == 12
    with pytest.raises(Unreadable, match="more than 10 rows"):
        list(read(Wanted(file=str(file), most=10), Mapping(columns=("phone",))))


async def test_rows_come_from_a_process_of_its_own_from_behind_the_last_that_is_known(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text("phone\n" + "".join(f"5511912345{n:03d}\n" for n in range(7)))
    wanted = Wanted(file=str(file), most=10, mapping=Mapping(columns=("phone",)), after=3)
    parts = [[row.row for row in part] async for part in sheets.rows(wanted, 2)]
    assert parts == [[4, 5], [6, 7], [8]]
    with pytest.raises(SheetInvalid, match="more than 3 rows"):
        _ = [part async for part in sheets.rows(Wanted(file=str(file), most=3, mapping=Mapping(columns=("phone",))), 2)]
