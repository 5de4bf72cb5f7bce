"""What somebody sees of their account."""

import pytest
from contracts import ids
from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Access, Principal, Reach, Role
from hypothesis import given
from hypothesis import strategies as st

ME, OTHER = UserId(ids.new()), UserId(ids.new())
NUMBERS = [DeviceId(ids.new()) for _ in range(3)]
TEAMS = [ids.new() for _ in range(3)]

numbers = st.sampled_from(NUMBERS)
teams = st.sampled_from([None, *TEAMS])
people = st.sampled_from([None, ME, OTHER])
reaches = st.sampled_from(["all", "team", "own"])
limits = st.builds(Access, devices=st.none() | st.frozensets(numbers), teams=st.frozensets(st.sampled_from(TEAMS)), chats=reaches)


def someone(access: Access) -> Principal:
    return Principal(id=ME, tenant=TenantId(ids.new()), role=Role.AGENT, access=access)


@pytest.mark.parametrize(
    ("chats", "team", "assignee", "reads"),
    [
        ("all", None, None, True),
        ("all", TEAMS[1], OTHER, True),
        ("team", TEAMS[0], None, True),
        ("team", TEAMS[0], OTHER, True),
        ("team", TEAMS[1], ME, True),
        ("team", None, ME, True),
        ("team", TEAMS[1], None, False),
        ("team", TEAMS[1], OTHER, False),
        ("team", None, None, False),
        ("own", TEAMS[0], ME, True),
        ("own", None, ME, True),
        ("own", TEAMS[0], None, False),
        ("own", None, OTHER, False),
        ("own", None, None, False),
    ],
)
def test_team_and_assignee_decide_which_chats_somebody_reads(chats, team, assignee, reads):
    caller = someone(Access(teams=frozenset(TEAMS[:1]), chats=chats))
    assert caller.reads(NUMBERS[0], team, assignee) is reads


@given(limits, numbers, teams, people)
def test_a_chat_of_a_number_that_is_not_seen_is_never_read(access, device, team, assignee):
    if someone(access).reads(device, team, assignee):
        assert someone(access).sees(device)


@given(limits, numbers, teams, people)
def test_a_wider_reach_never_hides_a_chat(access, device, team, assignee):
    order: list[Reach] = ["own", "team", "all"]
    read = [someone(Access(devices=access.devices, teams=access.teams, chats=chats)).reads(device, team, assignee) for chats in order]
    assert read == sorted(read)


@given(numbers, teams, people)
def test_whoever_has_no_limits_reads_every_chat(device, team, assignee):
    assert someone(Access()).reads(device, team, assignee)


def test_what_is_about_no_number_is_for_who_sees_all_numbers():
    assert someone(Access()).reads(None, None, None)
    assert not someone(Access(devices=frozenset(NUMBERS))).reads(None, None, ME)
