"""What was typed is read as words and phrases, and found again in any text."""

import pytest
from conversations.domain import seeking
from conversations.domain.seeking import EXCERPT, QueryEmpty, Sought, excerpt, plain, read
from hypothesis import given
from hypothesis import strategies as st

ANYTHING = st.text(max_size=150)
WORDS = st.lists(st.text("aeiounñáéçÑ0z", min_size=1, max_size=6), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("query", "terms", "unfinished"),
    [
        ("hola", ("hola",), True),
        ("  factura   de enero ", ("factura", "de", "enero"), True),
        ('"buenos días" Ana', ("buenos días", "Ana"), True),
        ('Ana "buenos días"', ("Ana", "buenos días"), False),
        ('ana "sin fin', ("ana", "sin fin"), False),
        ("factura_2026.pdf", ("factura 2026 pdf",), True),
        ("a & b | !c:*", ("a", "b", "c"), True),
        ("no\0 ve", ("no", "ve"), True),
        ("مرحبا بالعالم", ("مرحبا", "بالعالم"), True),
    ],
)
def test_a_query_is_words_and_phrases(query, terms, unfinished):
    sought = read(query)
    assert (sought.terms, sought.unfinished) == (terms, unfinished)


@pytest.mark.parametrize("query", ["", "   ", "& | !", '""', "\0", "🙏 🔥", "()<->:*'\\"])
def test_a_query_without_a_word_is_refused(query):
    with pytest.raises(QueryEmpty):
        read(query)


def test_what_looks_like_a_phone_is_looked_for_by_its_digits():
    assert read("+55 (11) 91234-5678").names == ("5511912345678",)
    assert read("Ana 91234").names == ("Ana", "91234")


@given(ANYTHING)
def test_any_query_is_read_or_refused(query):
    try:
        sought = read(query)
    except QueryEmpty:
        return
    assert 0 < len(sought.terms) <= seeking.MOST_TERMS
    assert all(term.strip() == term != "" for term in sought.terms)


@given(ANYTHING, ANYTHING, st.booleans())
def test_the_ranges_of_an_excerpt_lie_in_it_one_after_the_other(text, query, within):
    try:
        sought = read(query)
    except QueryEmpty:
        return
    found = excerpt(text, sought, within=within)
    assert len(found.text) <= EXCERPT + 2
    assert found.text.strip("…") in text
    end = 0
    for begin, finish in found.hits:
        assert end <= begin < finish <= len(found.text)
        end = finish


@given(WORDS, st.data())
def test_a_word_of_a_text_is_shown_where_it_stands(words, data):
    text = " ".join(words)
    word = data.draw(st.sampled_from(words))
    found = excerpt(text, read(f'"{word}"'))
    assert found.hits
    assert {plain(found.text[begin:end]) for begin, end in found.hits} == {plain(word)}


def test_an_excerpt_begins_shortly_before_what_was_looked_for():
    text = "palabra " * 5000 + "Pingüino azul " + "otra " * 5000
    found = excerpt(text, read("pinguin"))
    assert found.text.startswith("…")
    assert found.text.endswith("…")
    [(begin, end)] = found.hits
    assert found.text[begin:end] == "Pingüino"


def test_a_phrase_is_shown_as_one_and_its_words_alone_are_not():
    found = excerpt("días buenos; Buenos, días: buenos", read('"buenos dias"'))
    assert [found.text[begin:end] for begin, end in found.hits] == ["Buenos, días"]


def test_a_part_of_a_name_or_phone_is_shown():
    assert excerpt("Ángela Núñez", read("nun"), within=True).hits == ((7, 10),)
    assert excerpt("5511912345678", read("2345"), within=True).hits == ((6, 10),)
    assert excerpt("Straße", Sought(terms=("strass",), unfinished=True), within=True).hits == ((0, 6),)
