"""Which rule a message meets."""

import pytest
from bot.domain.errors import RuleInvalid
from bot.domain.phrases import Matcher, fold
from bot.domain.settings import Match, Reply, Rule
from hypothesis import given
from hypothesis import strategies as st


def a_rule(id: str, match: Match, *phrases: str, enabled: bool = True) -> Rule:
    return Rule(id=id, name=id, match=match, phrases=phrases, enabled=enabled, reply=Reply(text=id))


def first(text: str, *rules: Rule) -> str | None:
    found = Matcher(rules).first(text)
    return found.id if found else None


@pytest.mark.parametrize("said", ["PRECIO", "précio", "  ¿Precio?  ", "precio!!!"])
def test_accents_case_and_signs_around_make_no_difference(said: str):
    assert first(said, a_rule("price", Match.EXACT, "Precio")) == "price"


@pytest.mark.parametrize(
    ("match", "phrase", "meets", "misses"),
    [
        (Match.EXACT, "hola", ["hola", "¡Hola!"], ["hola buenas", "holas"]),
        (Match.CONTAINS, "envío", ["¿hacen envíos?", "ENVIO"], ["enviar"]),
        (Match.STARTS, "quiero comprar", ["quiero comprar dos", "Quiero  comprar"], ["no quiero comprar", "quiero comprarlo"]),
        (Match.ANY_OF, "sí", ["sí, claro", "pues si"], ["siempre", "casi"]),
        (Match.REGEX, r"pedido\s+#?\d{3,}", ["mi pedido #12345", "PEDIDO 777"], ["pedido"]),
    ],
)
def test_each_way_of_matching_meets_what_it_says(match: Match, phrase: str, meets: list[str], misses: list[str]):
    for text in meets:
        assert first(text, a_rule("it", match, phrase)) == "it", text
    for text in misses:
        assert first(text, a_rule("it", match, phrase)) is None, text


def test_of_several_rules_the_first_in_the_list_answers_whatever_its_kind():
    rules = [
        a_rule("off", Match.EXACT, "hola", enabled=False),
        a_rule("regex", Match.REGEX, "^ho"),
        a_rule("exact", Match.EXACT, "hola"),
        a_rule("inside", Match.CONTAINS, "ol"),
    ]
    assert first("hola", *rules) == "regex"
    assert first("hola", *reversed(rules)) == "inside"


def test_a_catastrophic_expression_takes_linear_time():
    # With a backtracking engine this would take longer than the universe is old.
    assert first("a" * 4_000 + "b", a_rule("evil", Match.REGEX, r"^(a+)+$")) is None


@pytest.mark.parametrize("phrase", ["(", r"(a)\1", "a{1001}", "(?=a)b"])
def test_an_expression_that_cannot_be_used_is_refused_by_name(phrase: str):
    with pytest.raises(RuleInvalid, match="it"):
        Matcher([a_rule("it", Match.REGEX, phrase)])


@pytest.mark.parametrize(("match", "phrase"), [(Match.CONTAINS, "!!!"), (Match.EXACT, "…"), (Match.REGEX, ".*"), (Match.REGEX, "x?")])
def test_a_keyword_that_every_message_meets_is_refused(match: Match, phrase: str):
    with pytest.raises(RuleInvalid):
        Matcher([a_rule("all", match, phrase)])


TEXT = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


@given(st.text(TEXT, max_size=300))
def test_folding_twice_is_folding_once(text: str):
    assert fold(fold(text)) == fold(text)


@given(st.text(TEXT, max_size=200), st.lists(st.text(TEXT, min_size=1, max_size=8), min_size=1, max_size=8))
def test_any_text_meets_a_rule_exactly_when_a_look_at_each_rule_says_so(text: str, phrases: list[str]):
    usable = [phrase.strip() for phrase in phrases if fold(phrase)]
    rules = [a_rule(f"r{number}", Match.CONTAINS, phrase) for number, phrase in enumerate(usable)]
    expected = next((rule.id for rule in rules if fold(rule.phrases[0]) in fold(text)), None)
    assert first(text, *rules) == expected


PATTERNS = [r"pedido\s+#?\d+", "envíos?", "^(si|sí)$", r"\bAZUL\b", "[a-z]{9}", r"\d{4}", "ñ", "(a|b)c+"]


@given(st.text(st.sampled_from("pedido 12#envíosazulñabcSÍ AZUL\n"), max_size=40), st.permutations(PATTERNS))
def test_expressions_all_at_once_find_what_they_find_one_by_one(text: str, patterns: list[str]):
    rules = [a_rule(f"r{number}", Match.REGEX, pattern) for number, pattern in enumerate(patterns)]
    assert first(text, *rules) == next((rule.id for rule in rules if first(text, rule)), None)


def test_thousands_of_long_expressions_are_as_good_as_one():
    words = [f"{'abcdefghij'[number % 10] * 40}{number:04}{'klmnopqrst'[number // 10 % 10] * 200}" for number in range(1_500)]
    rules = [a_rule(f"r{number}", Match.REGEX, word) for number, word in enumerate(words)]
    found = Matcher(rules).first(f"quiero {words[1_234].upper()} hoy")
    assert found is not None
    assert found.id == "r1234"
