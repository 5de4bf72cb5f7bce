"""What is pure: ranks, money, rules, sheets."""

import csv
import io
from datetime import UTC, datetime
from uuid import UUID

import pytest
from contracts import ids
from contracts.ids import LeadId, PipelineId, StageId, TenantId
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline.domain import defaults, errors, money, ranks, rules
from pipeline.domain.leads import Lead, Stage
from pipeline.domain.rules import Assign, Keyword, MakeLead, Move, Notify, Rule, Send, StageEntered
from servicekit import sheets

A, B = StageId(ids.new()), StageId(ids.new())
BOARD = PipelineId(ids.new())


class Column:
    """A column as the store keeps it: ranks by card, made free where they have become long."""

    def __init__(self) -> None:
        self.cards: list[str] = []
        self.rank: dict[str, str] = {}

    def put(self, card: str, place: int) -> None:
        if card in self.cards:
            self.cards.remove(card)
        place = min(place, len(self.cards))
        lower = self.rank[self.cards[place - 1]] if place else None
        upper = self.rank[self.cards[place]] if place < len(self.cards) else None
        rank = ranks.between(lower, upper)
        self.cards.insert(place, card)
        self.rank[card] = rank if ranks.fits(rank) else self.evened(place)

    def evened(self, place: int) -> str:
        for window in (*ranks.WINDOWS, len(self.cards)):
            start, end = max(0, place - window), min(len(self.cards), place + 1 + window)
            floor = self.rank[self.cards[start - 1]] if start else None
            ceiling = self.rank[self.cards[end]] if end < len(self.cards) else None
            given = ranks.even(floor, ceiling, end - start)
            if given is not None:
                self.rank |= dict(zip(self.cards[start:end], given, strict=True))
                return self.rank[self.cards[place]]
        raise AssertionError("no room")

    def check(self) -> None:
        held = [self.rank[card] for card in self.cards]
        assert ranks.in_order(held)
        assert all(map(ranks.fits, held))


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=60))
def test_whatever_is_moved_wherever_cards_keep_their_order_and_ranks_stay_short(moves):
    column = Column()
    for card, place in moves:
        column.put(str(card), place)
        column.check()


@given(st.sampled_from([0, 1, 2, 7, 10**9]), st.integers(0, 90))
@settings(max_examples=12, deadline=None)
def test_a_thousand_moves_to_one_place_leave_ranks_short(place, cards):
    column = Column()
    for n in range(cards):
        column.put(f"old {n}", 10**9)
    for n in range(1000):
        column.put(f"new {n}", place)
    column.check()
    assert len(column.cards) == cards + 1000


def test_ranks_of_fifty_thousand_cards_are_short():
    given = ranks.spread(None, None, 50_000)
    assert ranks.in_order(given)
    assert max(map(len, given)) <= 5


@pytest.mark.parametrize("text", ["", "US", "USDX", "usd1", "XXX", "XTS", "XAU", "ÜSD", "   "])
def test_what_is_no_currency_is_refused(text):
    with pytest.raises(errors.CurrencyUnknown):
        money.currency(text)


def test_currencies_are_read_in_any_case_with_their_decimals():
    assert [money.currency(text) for text in ("mxn", " Brl ", "CLP")] == ["MXN", "BRL", "CLP"]
    assert [money.exponent(code) for code in ("MXN", "CLP", "KWD")] == [2, 0, 3]
    assert [money.written(1250, code) for code in ("USD", "CLP", "KWD")] == ["12.50 USD", "1250 CLP", "1.250 KWD"]


@pytest.mark.parametrize("amount", [-1, 10**20, money.MOST + 1])
def test_an_amount_out_of_range_is_refused(amount):
    with pytest.raises(errors.ValueOutOfRange):
        money.value(amount)


@given(st.integers(0, money.MOST), st.integers(0, 100))
def test_a_weighted_value_is_rounded_to_the_next_minor_unit(total, probability):
    assert abs(money.weighted(total, probability) * 100 - total * probability) <= 50


def a_lead(**changes) -> Lead:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    fields = {
        "tenant": TenantId(ids.new()), "id": LeadId(ids.new()), "pipeline": BOARD, "stage": A, "kind": "open", "title": "Mesas", "value": 1,
        "currency": "MXN", "rank": "a0", "version": 1, "created_at": now, "at": now, "stage_since": now,
    }  # fmt: skip
    return Lead(**fields | changes)


def a_stage(id: StageId, kind: str) -> Stage:
    return Stage(id=id, pipeline=BOARD, name="x", kind=kind, color="#000000", probability=50, rotting_days=None, position=0)  # type: ignore[arg-type]


def test_a_lead_is_closed_by_its_stage_and_opened_again():
    later = datetime(2026, 12, 1, tzinfo=UTC)
    lost = a_lead().moved(a_stage(B, "lost"), "a1", later, "precio")
    assert (lost.kind, lost.closed_at, lost.lost_reason, lost.stage_since, lost.version) == ("lost", later, "precio", later, 2)
    again = lost.moved(a_stage(A, "open"), "a0", later)
    assert (again.kind, again.closed_at, again.lost_reason) == ("open", None, None)
    same = a_lead().moved(a_stage(A, "open"), "a5", later)
    assert (same.stage_since, same.rank, same.version) == (a_lead().stage_since, "a5", 2)


def test_a_change_that_changes_nothing_is_none():
    lead = a_lead()
    assert lead.changed(datetime.now(UTC), title="Mesas", value=1) == (lead, ())
    changed, names = lead.changed(datetime.now(UTC), title="Sillas", value=1)
    assert (names, changed.version) == (("title",), 2)


def a_rule(*actions, on=None) -> Rule:
    return Rule(id=ids.new(), name="r", enabled=True, trigger=on or StageEntered(stage_id=A), actions=actions or (Notify(),))


@pytest.mark.parametrize(
    "rule",
    [
        a_rule(Move(stage_id=A)),
        a_rule(Move(stage_id=B), on=StageEntered()),
        a_rule(Notify(), on=Keyword(words=("precio",))),
        a_rule(MakeLead()),
        a_rule(MakeLead(), on=Keyword(words=("a",))),
        a_rule(MakeLead(), on=Keyword(words=(" ",))),
        a_rule(MakeLead(), on=Keyword(words=("???",))),
        a_rule(MakeLead(), on=Keyword(words=())),
        a_rule(MakeLead(), Move(stage_id=B), on=Keyword(words=("precio",))),
        a_rule(MakeLead(), MakeLead(), on=Keyword(words=("precio",))),
        a_rule(Send(text="Hola {nombre}")),
        a_rule(Assign()),
        a_rule(*[Notify()] * 11),
    ],
)
def test_a_rule_that_cannot_run_is_refused(rule):
    with pytest.raises(errors.RuleInvalid):
        rules.check(rule)


def test_a_rule_that_can_run_is_taken():
    rules.check(a_rule(Send(text="Hola {contact}, {value}"), Move(stage_id=B), Notify()))
    rules.check(a_rule(MakeLead(), Notify(), on=Keyword(words=("precio",))))


@given(st.lists(st.sampled_from([UUID(int=n) for n in range(6)]), max_size=8))
def test_no_chain_of_rules_goes_round_or_on_for_ever(wished):
    chain: list[UUID] = []
    for rule in wished * 10:
        if rules.admits(rule, chain):
            chain.append(rule)
    assert len(chain) == len(set(chain)) <= rules.DEEPEST


@pytest.mark.parametrize(
    ("text", "word", "how", "said"),
    [
        ("¿Cuál es el PRECIO?", "precio", "word", True),
        ("¿Cuál es el precío?", "PRECIO", "word", True),
        ("preciosa", "precio", "word", False),
        ("preciosa", "precio", "contains", True),
        ("preciosa", "precio", "starts", True),
        ("lo preciso", "precio", "starts", False),
        ("precio", "precio", "exact", True),
        (" Precio ", "precio", "exact", True),
        ("precio ya", "precio", "exact", False),
        ("quiero un presupuesto ya", "un presupuesto", "word", True),
        ("ação", "acao", "word", True),
        ("", "precio", "contains", False),
    ],
)
def test_keywords_are_found_without_accents_and_case(text, word, how, said):
    assert rules.says(text, [word], how) is said


def test_a_voice_note_says_no_keyword_but_is_a_first_message():
    device = ids.new()
    assert not rules.hears(Keyword(words=("precio",)), text=None, first=True, device=device)
    assert rules.hears(rules.FirstMessage(), text=None, first=True, device=device)
    assert not rules.hears(rules.FirstMessage(devices=(ids.new(),)), text=None, first=True, device=device)
    assert not rules.hears(rules.FirstMessage(), text="hola", first=False, device=device)


def test_a_template_leaves_out_what_has_no_value():
    assert rules.fill("Hola {contact}, tu {title}", {"contact": "Luis"}) == "Hola Luis, tu"
    assert rules.fill("{contact}", {"contact": "{title}", "title": "x"}) == "{title}"


@given(st.text(max_size=30))
def test_no_cell_of_a_sheet_is_a_formula(text):
    sheet = sheets.write(["name"], [{"name": text}])
    assert sheet[0] == "\ufeff"
    [_, *rows] = csv.reader(io.StringIO(sheet[1:], newline=""))
    cell = rows[0][0] if rows and rows[0] else ""
    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert text in cell


def test_numbers_stay_numbers_in_a_sheet():
    assert sheets.write(["a", "b"], [{"a": -5, "b": None}]) == "\ufeffa,b\r\n-5,\r\n"


@pytest.mark.parametrize(("locale", "first"), [("es", "Nuevo"), ("pt-BR", "Novo"), ("en", "New"), ("de", "Nuevo")])
def test_a_first_pipeline_speaks_the_accounts_language(locale, first):
    stages = defaults.stages(locale)
    assert stages[0].name == first
    assert [stage.kind for stage in stages] == ["open"] * 4 + ["won", "lost"]
