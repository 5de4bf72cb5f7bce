"""What is known without a database."""

from dataclasses import replace
from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest
from contracts import ids
from contracts.ids import ChatId, ContactId, DeviceId, MessageId, TenantId
from contracts.views import MessageStatus
from conversations.domain import phones
from conversations.domain.errors import PhoneInvalid
from conversations.domain.identities import Alias, address_of, participant, plan
from conversations.domain.messages import NOT_READABLE, Ours, Tick, claim, clean, lone_unknown
from conversations.domain.statuses import RANK, advance
from hypothesis import given
from hypothesis import strategies as st

from .facts import ANA, ANA_LID, NOON, later

TENANT = TenantId(ids.new())
MOVING = st.sampled_from(sorted(RANK))


def ours(**changes):
    message = Ours(
        tenant=TENANT,
        id=MessageId(ids.new()),
        device=DeviceId(ids.new()),
        chat=ChatId(ids.new()),
        at=NOON,
        status=MessageStatus.QUEUED,
    )
    return replace(message, **changes)


@given(st.lists(MOVING), st.randoms())
def test_a_status_does_not_depend_on_order_or_repeats(facts, random):
    def outcome(some):
        status = MessageStatus.QUEUED
        for fact in some:
            status = advance(status, fact)
        return status

    shuffled = facts + facts
    random.shuffle(shuffled)
    assert outcome(facts) == outcome(shuffled)


@given(MOVING, MOVING)
def test_a_status_never_goes_back(present, news):
    assert RANK[advance(present, news)] >= RANK[present]


@given(MOVING)
def test_a_customers_message_stays_received(news):
    assert advance(MessageStatus.RECEIVED, news) is MessageStatus.RECEIVED


@given(st.permutations(["sent", "failed", "unknown", "waiting", "delivered"]))
def test_what_whatsapp_has_was_sent_whatever_else_was_said(order):
    message = ours()
    for fact in order:
        match fact:
            case "sent":
                message = message.sent("W1", later(1))
            case "delivered":
                message = message.received(MessageStatus.DELIVERED)
            case outcome:
                message = message.unsent(outcome, "worker-lost")
    assert (message.status, message.wa_id, message.reason, message.at) == (MessageStatus.DELIVERED, "W1", None, later(1))


@given(st.permutations(["sent", "sent", "failed", "unknown", "waiting", "unreadable", "unreadable"]))
def test_what_the_phone_could_not_read_is_unknown_whatever_else_was_said_until_somebody_has_it(order):
    message, early = ours(), False
    for fact in order:
        match fact:
            case "sent":
                message = message.sent("W1", later(1))
                message = message.unreadable() if early else message
            case "unreadable":
                early = early or message.wa_id is None
                message = message.unreadable()
            case outcome:
                message = message.unsent(outcome, "worker-lost")
    assert (message.status, message.wa_id, message.reason, message.at) == (MessageStatus.UNKNOWN, "W1", NOT_READABLE, later(1))
    assert message.is_unreadable
    had = message.received(MessageStatus.DELIVERED).unreadable()
    assert (had.status, had.reason) == (MessageStatus.DELIVERED, None)


@given(MOVING)
def test_only_of_what_is_sent_and_no_more_it_matters_that_one_phone_could_not_read_it(status):
    message = ours(status=status, wa_id="W1")
    assert (message.unreadable() == message) is (status is not MessageStatus.SENT)


def test_only_a_lone_unknown_can_be_meant():
    unknown = ours(status=MessageStatus.UNKNOWN)
    named = ours(status=MessageStatus.SENT, wa_id="W1")
    failed = ours(status=MessageStatus.FAILED)
    assert lone_unknown([unknown, named, failed]) is unknown
    assert lone_unknown([unknown, ours()]) is None
    assert lone_unknown([unknown, ours(status=MessageStatus.UNKNOWN)]) is None
    assert lone_unknown([ours()]) is None


def test_an_unclaimed_tick_is_claimed_only_where_it_can_be_meant():
    unknown = ours(status=MessageStatus.UNKNOWN)
    tick = Tick(wa_id="W1", status=MessageStatus.DELIVERED, at=later(5))
    read = replace(tick, status=MessageStatus.READ)
    assert claim(unknown, [read, tick]) == ("W1", MessageStatus.READ)
    assert claim(unknown, [tick, replace(tick, wa_id="W2")]) is None
    assert claim(unknown, [replace(tick, at=NOON - timedelta(seconds=1))]) is None
    assert claim(unknown, []) is None


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("5511912345678", "5511912345678"),
        ("+55 11 91234-5678", "5511912345678"),
        (" +55 (11) 91234.5678 ", "5511912345678"),
        ("1234567", "1234567"),
        ("123456789012345", "123456789012345"),
    ],
)
def test_a_phone_is_read_as_people_write_it(text, digits):
    assert phones.parse(text) == digits


@pytest.mark.parametrize(
    "text", ["", "123456", "1234567890123456", "55+11912345678", "abc1234567", "٠١٢٣٤٥٦٧٨٩", "1234567\0", "12345 67a", "+-()"]
)
def test_what_is_no_phone_is_refused(text):
    with pytest.raises(PhoneInvalid):
        phones.parse(text)


@given(st.text())
def test_any_text_is_a_phone_of_digits_or_refused(text):
    try:
        digits = phones.parse(text)
    except PhoneInvalid:
        return
    assert digits.isascii()
    assert digits.isdigit()
    assert 7 <= len(digits) <= 15


@given(st.text(st.characters()))
def test_any_text_can_be_stored(text):
    cleaned = clean(text)
    assert cleaned is not None
    assert "\0" not in cleaned.encode().decode()


def test_a_group_member_has_one_name_for_both_addresses():
    assert participant(ANA, ANA_LID) == participant(ANA_LID, ANA) == participant(ANA_LID, None)
    assert address_of(participant(ANA_LID, None)) == ANA_LID
    assert participant(None, None) == ""
    assert address_of("") is None


def aliases() -> st.SearchStrategy[Alias]:
    return st.tuples(st.just(TENANT), st.sampled_from(["pn", "lid", "username"]), st.sampled_from("abcdef"))


GROUPS = st.lists(st.one_of(st.tuples(aliases()), st.tuples(aliases(), aliases())), min_size=1, max_size=12)


def numbered(start: int = 1):
    return (UUID(int=n) for n in count(start))


def carried_out(known, made):
    """The aliases that stand once a plan is carried out."""
    redirects = {merge.loser: merge.survivor for merge in made.merges}
    return {alias: redirects.get(contact, contact) for alias, contact in (known | made.learned).items()}


@given(GROUPS, GROUPS)
def test_addresses_said_in_one_breath_lead_to_one_contact_and_no_others_do(first, second):
    known = carried_out({}, plan(first, {}, fresh=numbered()))
    known = carried_out(known, plan(second, known, fresh=numbered(100)))
    together = plan(first + second, {}, fresh=numbered())
    assert set(known) == set(together.contacts)
    for one in known:
        for other in known:
            assert (known[one] == known[other]) == (together.contacts[one] == together.contacts[other])


@given(GROUPS)
def test_a_phone_comes_from_a_phone_address_alone(groups):
    made = plan(groups, {}, fresh=numbered())
    for contact, (_, phone) in made.created.items():
        phones_of = {value for (_, kind, value), other in made.contacts.items() if kind == "pn" and other == contact}
        assert phone in phones_of or (phone is None and not phones_of)


def test_the_older_contact_survives():
    old, new = ContactId(UUID(int=1)), ContactId(UUID(int=2))
    pn: Alias = (TENANT, "pn", "1")
    lid: Alias = (TENANT, "lid", "2")
    for known in ({pn: old, lid: new}, {pn: new, lid: old}):
        [merge] = plan([(pn, lid)], known, fresh=numbered(9)).merges
        assert (merge.survivor, merge.loser) == (old, new)
