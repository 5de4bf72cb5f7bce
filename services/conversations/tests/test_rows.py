"""Lists of contacts as people keep them: what the columns are, what the cells mean, and what cannot be taken."""

import phonenumbers
import pytest
from contracts import ids
from conversations.domain import columns, phones
from conversations.domain.columns import Mapping
from conversations.domain.errors import ColumnsInvalid, PhoneInvalid
from conversations.domain.profiles import Field, State
from conversations.domain.rows import Person, Reader, Refused, Said, value
from hypothesis import given
from hypothesis import strategies as st

STATE = State(id=ids.new(), name="Interesado", color="#fab005")
FIELDS = (
    Field(key="size", name="Talla", kind="choice", choices=("Pequeña", "M")),
    Field(key="spent", name="Gastado", kind="number"),
    Field(key="born", name="Nacimiento", kind="date"),
    Field(key="vip", name="VIP", kind="boolean"),
)


def a_reader(*targets, country=None, **changes):
    return Reader(Mapping(columns=targets, country=country, **changes), [STATE], FIELDS)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (["Nombre", "Teléfono", "Correo electrónico"], ("name", "phone", "email")),
        (["First Name", "Last Name", "Mobile Phone", "Notes"], ("name", "name", "phone", None)),
        (["NOME COMPLETO", "Celular", "Situação", "Marcadores"], ("name", "phone", "state", "tags")),
        (["WhatsApp", "Teléfono", "talla"], ("phone", None, "field:size")),
        (["", "x"], (None, None)),
    ],
)
def test_a_column_is_guessed_by_the_words_above_it(head, found):
    assert columns.guess(head, [], FIELDS) == found


def test_a_list_without_words_above_it_is_guessed_by_what_stands_in_it():
    rows = [["Ana", "7", "+54 9 11 2345-6789"], ["Luis", "8", ""], ["Eva", "9", "5491123456780"]]
    assert not columns.is_header(rows[0])
    assert columns.guess(["", "", ""], rows, ()) == (None, None, "phone")
    assert columns.is_header(["Nombre", "Edad", "Fono 1"])


@given(st.lists(st.text(max_size=12), max_size=8))
def test_whatever_stands_above_no_two_columns_are_one_thing_but_parts_of_a_name(head):
    found = columns.guess(head, [], FIELDS)
    named = [target for target in found if target not in (None, "name")]
    assert len(found) == len(head)
    assert len(set(named)) == len(named)


@pytest.mark.parametrize(
    "wrong",
    [("phone",), ("name", None), ("phone", "phone"), ("phone", "field:none"), ("phone", "shoe")],
)
def test_columns_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ColumnsInvalid):
        columns.check(Mapping(columns=wrong), 2, FIELDS)


def _numbers():
    """Numbers of the countries that our people write from, as they may be assigned."""
    shapes = {"BR": "55119{:08d}", "MX": "5255{:08d}", "AR": "54911{:08d}", "CO": "57310{:07d}", "ES": "346{:08d}", "US": "1415{:07d}"}
    made = st.tuples(st.sampled_from(sorted(shapes)), st.integers(0, 10**7 - 1))
    return made.map(lambda one: (one[0], shapes[one[0]].format(one[1] + 2 * 10**6))).filter(
        lambda one: phonenumbers.is_valid_number(phonenumbers.parse(f"+{one[1]}"))
    )


@given(_numbers(), st.sampled_from(["E164", "INTERNATIONAL", "NATIONAL", "digits", "00", "sheet"]))
def test_a_phone_is_the_same_however_it_is_written(number, written):
    country, digits = number
    parsed = phonenumbers.parse(f"+{digits}")
    match written:
        case "digits":
            text = digits
        case "00":
            text = f"00{digits}"
        case "sheet":
            text = f"{digits}.0"
        case _:
            text = phonenumbers.format_number(parsed, getattr(phonenumbers.PhoneNumberFormat, written))
    assert phones.international(text, country) == digits


@given(_numbers())
def test_the_ways_in_which_whatsapp_names_a_phone_lead_to_each_other(number):
    _, digits = number
    for other in phones.variants(digits):
        assert set(phones.variants(other)) == set(phones.variants(digits))


@pytest.mark.parametrize("text", ["", "abc", "12", "5.51198E+12", "+99912345678", "=1+1", "11 9123-4567 x9", "1" * 30])
def test_what_is_no_phone_is_refused(text):
    with pytest.raises(PhoneInvalid):
        phones.international(text, "BR")


@given(st.text(max_size=40), st.sampled_from([None, "BR", "MX"]))
def test_a_phone_is_digits_or_is_refused(text, country):
    try:
        digits = phones.international(text, country)
    except PhoneInvalid:
        return
    assert digits.isdecimal()
    assert phones.SHORTEST <= len(digits) <= phones.LONGEST + 2


def test_a_row_says_what_its_cells_say_and_nothing_of_the_empty_ones():
    reader = a_reader("name", "name", "phone", "email", "tags", "state", "field:spent", None, country="BR")
    said = reader.read(2, [" Ana ", "Paz", "(11) 91234-5678", "Ana@Example.com", "VIP; Mayorista, vip", "INTERESADO", "1.234,50", "x"])
    assert said == Said(
        row=2,
        phone="5511912345678",
        name="Ana Paz",
        email="ana@example.com",
        tags=("vip", "Mayorista"),
        state=STATE.id,
        fields={"spent": 1234.5},
    )
    assert reader.read(3, ["", "", "11912345678"]) == Said(row=3, phone="5511912345678")
    assert reader.read(4, ["", "", ""]) is None


@pytest.mark.parametrize(
    ("cells", "why", "column"),
    [
        (["Ana", ""], "phone-missing", 1),
        (["Ana", "12"], "phone-invalid", 1),
        (["Ana", "+5511912345678", "ana at home"], "email-invalid", 2),
        (["Ana", "+5511912345678", "", "Quién sabe"], "state-unknown", 3),
        (["Ana", "+5511912345678", "", "", "XL"], "field-invalid", 4),
        (["A" * 101, "+5511912345678"], "name-too-long", 0),
        (["Ana", "+5511912345678", "", "", "", ",".join(f"t{n}" for n in range(21))], "too-many-tags", 5),
    ],
)
def test_a_row_that_cannot_be_taken_says_which_cell_is_in_the_way(cells, why, column):
    reader = a_reader("name", "phone", "email", "state", "field:size", "tags")
    assert reader.read(7, cells) == Refused(row=7, why=why, column=column)


@pytest.mark.parametrize(
    ("key", "cell", "read"),
    [
        ("size", "PEQUENA", "Pequeña"),
        ("spent", "$ 1,234.5", 1234.5),
        ("spent", "1.234", 1234),
        ("spent", "12,5 €", 12.5),
        ("spent", "-3", -3),
        ("spent", "lots", "lots"),
        ("born", "3/2/1990", "1990-02-03"),
        ("born", "1990-2-3", "1990-02-03"),
        ("born", "12/31/1990", "1990-12-31"),
        ("born", "2026-02-03T00:00:00", "2026-02-03"),
        ("born", "31/02/1990", "31/02/1990"),
        ("vip", "Sí", True),
        ("vip", "não", False),
    ],
)
def test_a_cell_is_read_as_people_write_it(key, cell, read):
    assert value(next(field for field in FIELDS if field.key == key), cell) == read


def test_a_list_overwrites_or_only_fills_in_what_is_empty():
    tag, new = ids.new(), ids.new()
    person = Person(name="Ana", fields={"spent": 1.0}, tags=frozenset([tag]))
    said = Said(row=1, phone="1", name="Anita", email="a@b.co", tags=("Nuevo",), fields={"spent": 2.0, "size": "M"})
    over = person.told(said, {"nuevo": new}, overwrite=True)
    assert (over.name, over.email, dict(over.fields), over.tags) == ("Anita", "a@b.co", {"spent": 2.0, "size": "M"}, {tag, new})
    filled = person.told(said, {"nuevo": new}, overwrite=False)
    assert (filled.name, filled.email, dict(filled.fields)) == ("Ana", "a@b.co", {"spent": 1.0, "size": "M"})
    assert over.told(said, {"nuevo": new}, overwrite=True) == over
