"""A process of its own that makes a spreadsheet of the rows on stdin, one JSON array a line; what looks like a formula is a text."""

import sys

import msgspec
import xlsxwriter


def main() -> None:
    """Write to the file that the first argument names, a row at a time: none of them is kept."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(sys.argv[1], options) as book:
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        bold = book.add_format({"bold": True})
        for number, line in enumerate(sys.stdin.buffer):
            for place, cell in enumerate(msgspec.json.decode(line)):
                if isinstance(cell, bool):
                    sheet.write_boolean(number, place, cell)
                elif isinstance(cell, int | float):
                    sheet.write_number(number, place, cell)
                elif cell:
                    sheet.write_string(number, place, cell, None if number else bold)


if __name__ == "__main__":
    main()
