from uuid import UUID

import pytest
from contracts import ids
from hypothesis import given
from hypothesis import strategies as st


@given(st.uuids(), st.sampled_from([ids.DEVICE, ids.CHAT, ids.MESSAGE]))
def test_a_public_id_reads_back_as_the_same_id(id: UUID, prefix: str):
    assert ids.parse(prefix, ids.public(prefix, id)) == id
    assert ids.parse(prefix, f"{prefix}_{ids.public(prefix, id)[4:].lower()}") == id


@given(st.uuids(), st.uuids())
def test_public_ids_sort_as_the_ids_do(a: UUID, b: UUID):
    assert (ids.public("dev", a) < ids.public("dev", b)) == (a < b)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dev",
        "dev_",
        "cht_01JD3V6Q5J8R2Y0T4W7X9Z1B3C",
        "dev_01JD3V6Q5J8R2Y0T4W7X9Z1B3",
        "dev_01JD3V6Q5J8R2Y0T4W7X9Z1B3U",
        "dev_8" + "0" * 25,
        "dev_" + "é" * 26,
    ],
)
def test_what_is_no_id_is_refused(text: str):
    with pytest.raises(ValueError):
        ids.parse("dev", text)


@given(st.text())
def test_reading_any_text_gives_an_id_or_a_value_error(text: str):
    try:
        ids.parse("dev", text)
    except ValueError:
        return


def test_new_ids_grow_with_time():
    made = [ids.new() for _ in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == 1000


def test_a_derived_id_depends_on_where_its_parts_end():
    assert ids.derived("ab", "c") == ids.derived("ab", "c")
    assert ids.derived("ab", "c") != ids.derived("a", "bc")


def test_the_time_of_making_stands_in_the_id():
    assert ids.made_at(UUID("01935000-0000-7000-8000-000000000000")).year == 2024


def test_no_two_kinds_of_thing_have_ids_that_look_alike():
    prefixes = [value for name, value in vars(ids).items() if name.isupper() and not name.startswith("_") and isinstance(value, str)]
    assert len(set(prefixes)) == len(prefixes)
