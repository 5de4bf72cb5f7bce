"""Where a chat stands, and what moves it."""

from datetime import timedelta

import pytest
from contracts import ids
from contracts.ids import UserId
from conversations.domain.errors import SnoozeInvalid
from conversations.domain.standing import Standing
from hypothesis import given
from hypothesis import strategies as st

from .facts import NOON, later

ANN, BEN = UserId(ids.new()), UserId(ids.new())
TEAM = ids.new()


@pytest.mark.parametrize("status", ["open", "pending", "snoozed", "closed"])
def test_a_customers_message_opens_whatever_it_was(status):
    before = Standing().turned(status, later(3600) if status == "snoozed" else None, NOON)
    after = before.asked(later(60))
    assert (after.status, after.snoozed_until, after.closed_at) == ("open", None, None)
    assert (after.waiting_since, after.queued_at) == (later(60), later(60))


def test_a_customer_waits_from_his_first_message_to_the_first_answer_after_it():
    asked = Standing().asked(NOON).asked(later(30))
    assert asked.waiting_since == NOON
    answered = asked.answered(later(40), ANN)
    assert (answered.waiting_since, answered.queued_at) == (None, None)
    assert (answered.first_response_at, answered.first_response_by) == (later(40), ANN)
    again = answered.asked(later(50)).answered(later(60), BEN)
    assert (again.first_response_at, again.first_response_by) == (later(40), ANN)


def test_the_first_response_counts_anew_when_a_closed_chat_begins_again():
    closed = Standing().asked(NOON).answered(later(10), ANN).turned("closed", None, later(20))
    assert closed.waiting_since is None
    begun = closed.asked(later(100))
    assert (begun.began_at, begun.first_response_at, begun.waiting_since) == (later(100), None, later(100))
    assert begun.answered(later(130), BEN).first_response_at == later(130)


def test_an_answer_that_was_given_before_the_newest_question_leaves_the_customer_waiting():
    both = Standing().asked(NOON).asked(later(60)).answered(later(30), None)
    assert both.waiting_since == later(60)
    assert both.queued_at is not None


def test_a_question_that_comes_late_and_was_answered_since_waits_no_more():
    assert Standing().asked(NOON).answered(later(60), ANN).asked(later(30)).waiting_since is None


def test_somebody_elses_turn_takes_it_out_of_the_queue_and_nobodys_puts_it_back():
    asked = Standing().asked(NOON)
    taken = asked.assigned(ANN, None, "manual", later(1))
    assert (taken.queued_at, taken.way) == (None, "manual")
    back = taken.assigned(None, TEAM, "manual", later(2))
    assert (back.queued_at, back.way, back.team) == (NOON, None, TEAM)
    quiet = Standing().assigned(None, TEAM, "manual", later(2))
    assert quiet.queued_at == later(2)
    assert Standing().assigned(ANN, None, "manual", NOON).assigned(None, None, "manual", later(1)).queued_at is None


def test_a_bots_handing_over_waits_for_a_person_unless_one_is_at_it():
    assert Standing().turned("pending", None, NOON).handed_over(later(5)).queued_at == later(5)
    assert Standing(assignee=ANN).handed_over(NOON).queued_at is None


def test_a_snooze_ends_at_its_time():
    snoozed = Standing().asked(NOON).turned("snoozed", later(60), NOON)
    assert snoozed.queued_at is None
    assert snoozed.woken(later(59)) is snoozed
    woken = snoozed.woken(later(60))
    assert (woken.status, woken.snoozed_until, woken.queued_at) == ("open", None, NOON)


@pytest.mark.parametrize(("status", "until"), [("snoozed", None), ("open", later(60)), ("snoozed", NOON), ("snoozed", later(-1))])
def test_a_snooze_without_a_time_ahead_and_a_time_without_a_snooze_are_refused(status, until):
    with pytest.raises(SnoozeInvalid):
        Standing().turned(status, until, NOON)


def test_of_two_chats_that_are_one_the_one_in_work_decides():
    closed = Standing(revision=7).asked(NOON).turned("closed", None, later(1))
    working = Standing(revision=2).asked(later(5)).assigned(ANN, None, "manual", later(6))
    for one in (closed.joined(working), working.joined(closed)):
        assert (one.status, one.assignee, one.waiting_since, one.revision) == ("open", ANN, later(5), 8)


steps = st.lists(st.tuples(st.sampled_from(["asked", "answered"]), st.integers(0, 50)), max_size=8)


@given(steps)
def test_who_waits_was_not_answered_after_his_newest_question(facts):
    standing = Standing()
    for what, seconds in facts:
        at = NOON + timedelta(seconds=seconds)
        standing = standing.asked(at) if what == "asked" else standing.answered(at, ANN)
    questions = [seconds for what, seconds in facts if what == "asked"]
    answers = [seconds for what, seconds in facts if what == "answered"]
    open_questions = [one for one in questions if not answers or one > max(answers)]
    assert (standing.waiting_since is not None) == bool(open_questions)
    if open_questions:
        assert standing.waiting_since <= later(max(open_questions))
