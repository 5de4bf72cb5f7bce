"""What is read off two standings: everything that is another, each once, and nothing else."""

from datetime import UTC, datetime

from contracts import ids
from conversations.domain.happenings import deeds
from conversations.domain.standing import Standing
from hypothesis import given
from hypothesis import strategies as st

LATER = datetime(2030, 1, 1, tzinfo=UTC)
PEOPLE, TEAMS, TAGS = [ids.new(), ids.new()], [ids.new(), ids.new()], [ids.new(), ids.new()]


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    status = draw(st.sampled_from(["open", "pending", "snoozed", "closed"]))
    return Standing(
        status=status,
        snoozed_until=LATER if status == "snoozed" else None,
        assignee=draw(st.sampled_from([None, *PEOPLE])),
        team=draw(st.sampled_from([None, *TEAMS])),
        revision=draw(st.integers(0, 2)),
    )


@given(standings(), standings(), st.sets(st.sampled_from(TAGS)))
def test_what_is_another_is_said_once(before: Standing, after: Standing, tagged: set):
    some = deeds(before, after, way="manual", tagged=tagged)
    assert [one.kind for one in some if one.kind in ("open", "pending", "snoozed", "closed")] == (
        [after.status] if before.revision and before.status != after.status else []
    )
    given_ = [one for one in some if one.kind in ("assigned", "team", "unassigned")]
    alone = after.team is None and after.assignee == before.assignee is not None
    assert len(given_) == ((before.assignee, before.team) != (after.assignee, after.team) and not alone)
    for one in given_:
        assert one.previous == before.assignee
        if one.kind == "assigned":
            assert one.assignee == after.assignee != before.assignee
        elif one.kind == "team":
            assert one.team == after.team != before.team
        else:
            assert after.assignee is None
    assert [set(one.tags) for one in some if one.kind == "tagged"] == ([tagged] if tagged else [])


@given(standings())
def test_what_stands_as_before_is_no_news(standing: Standing):
    assert deeds(standing, standing, way="rule") == ()
