"""Who gets which chat: over random arrivals, people coming and going, capacities, crashes and repeats."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.ids import ChatId, UserId
from conversations.domain.assigner import GRACE, Agent, Given, Waiting, assign, eligible, has_gone
from conversations.domain.standing import Standing
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
SALES, HELP = UUID(int=901), UUID(int=902)


def user(n: int) -> UserId:
    return UserId(UUID(int=n + 1))


def chat(n: int) -> ChatId:
    return ChatId(UUID(int=n + 1000))


def an_agent(n: int, **changes) -> Agent:
    return Agent(**({"id": user(n), "load": 0, "capacity": 100, "turn": 0} | changes))


def a_waiting(n: int, *candidates: int, **changes) -> Waiting:
    fields = {"chat": chat(n), "since": START + timedelta(seconds=n), "candidates": frozenset(map(user, candidates))}
    return Waiting(**(fields | changes))


def everybody(*agents: Agent) -> dict[UserId, Agent]:
    return {agent.id: agent for agent in agents}


def test_the_least_loaded_gets_the_chat_and_among_equals_the_turn_goes_round():
    agents = everybody(an_agent(1, load=2), an_agent(2, turn=5), an_agent(3, turn=4))
    given_out = assign([a_waiting(n, 1, 2, 3) for n in range(7)], agents)
    assert [one.agent for one in given_out] == [user(n) for n in (3, 2, 3, 2, 1, 3, 2)]
    assert [one.turn for one in given_out] == [6, 7, 8, 9, 10, 11, 12]


def test_a_chat_that_nobody_can_take_holds_up_none_behind_it():
    agents = everybody(an_agent(1), an_agent(2, capacity=0))
    assert [one.chat for one in assign([a_waiting(1, 2), a_waiting(2), a_waiting(3, 1)], agents)] == [chat(3)]


def test_who_has_gone_keeps_his_chat_until_somebody_can_take_it():
    mine = a_waiting(1, 1, 2, holder=user(1))
    assert assign([mine], everybody(an_agent(1))) == []
    assert [one.agent for one in assign([mine], everybody(an_agent(1), an_agent(2, load=9)))] == [user(2)]


def test_somebody_has_gone_after_a_grace():
    assert not has_gone(START, START + GRACE - timedelta(seconds=1))
    assert has_gone(START, START + GRACE)
    assert has_gone(None, START)


@given(st.integers(1, 6), st.integers(0, 60), st.randoms(use_true_random=False))
def test_loads_differ_by_one_chat_at_most_where_everybody_can_have_every_chat(people, arrivals, random):
    agents = everybody(*(an_agent(n) for n in range(people)))
    queue = [a_waiting(n, *range(people)) for n in range(arrivals)]
    while queue:
        part, queue = queue[: (size := random.randint(1, 5))], queue[size:]
        for one in assign(part, agents):
            agents[one.agent] = replace(agents[one.agent], load=agents[one.agent].load + 1, turn=one.turn)
    loads = [agent.load for agent in agents.values()]
    assert sum(loads) == arrivals
    assert max(loads) - min(loads) <= 1


@dataclass
class Somebody:
    online: bool = False
    capacity: int = 2
    last_seen: datetime | None = None
    turn: int = 0


class Office(RuleBasedStateMachine):
    """An account with two teams, whose chats stand as `Standing` says, and whose assigner is run now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.people = {user(n): Somebody() for n in range(4)}
        self.members = {SALES: frozenset({user(0), user(1)}), HELP: frozenset({user(1), user(2), user(3)})}
        self.chats: dict[ChatId, Standing] = {}

    def load(self, who: UserId) -> int:
        return sum(one.assignee == who and one.status == "open" for one in self.chats.values())

    def agents(self) -> dict[UserId, Agent]:
        return {id: Agent(id=id, load=self.load(id), capacity=who.capacity, turn=who.turn) for id, who in self.people.items() if who.online}

    def queue(self) -> list[Waiting]:
        gone = {id for id, who in self.people.items() if not who.online and has_gone(who.last_seen, self.now)}
        waiting = []
        for id, one in self.chats.items():
            sees = {who: (int(id) + int(who)) % 7 != 0 for who in self.people}
            candidates = eligible(team=one.team, members=self.members, agents=self.people, sees=sees)
            if one.queued_at is not None:
                waiting.append(Waiting(chat=id, since=one.queued_at, candidates=candidates))
            elif one.assignee in gone and one.way == "auto" and one.status == "open" and one.waiting_since is not None:
                waiting.append(Waiting(chat=id, since=one.waiting_since, candidates=candidates, holder=one.assignee))
        return waiting

    @rule(n=st.integers(0, 11), team=st.sampled_from([None, SALES, HELP]), times=st.integers(1, 2))
    def a_customer_writes(self, n, team, times):
        self.now += timedelta(seconds=1)
        standing = self.chats.get(chat(n), Standing(team=team))
        for _ in range(times):  # the same message may come again
            standing = standing.asked(self.now)
        self.chats[chat(n)] = standing

    @rule(n=st.integers(0, 3))
    def somebody_comes(self, n):
        self.people[user(n)].online = True

    @rule(n=st.integers(0, 3), capacity=st.integers(0, 3))
    def somebody_may_have_so_many(self, n, capacity):
        self.people[user(n)].capacity = capacity

    @rule(n=st.integers(0, 3))
    def somebody_leaves(self, n):
        who = self.people[user(n)]
        if who.online:
            who.online, who.last_seen = False, self.now

    @rule(seconds=st.sampled_from([10, 70]))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.chats)
    @rule(pick=st.integers(0, 100), what=st.sampled_from(["answer", "close", "take", "transfer", "snooze"]), n=st.integers(0, 3))
    def an_agent_works(self, pick, what, n):
        self.now += timedelta(seconds=1)
        id = sorted(self.chats)[pick % len(self.chats)]
        one = self.chats[id]
        match what:
            case "answer":
                one = one.answered(self.now, user(n))
            case "close":
                one = one.turned("closed", None, self.now)
            case "take":
                one = one.assigned(user(n), one.team, "manual", self.now)
            case "transfer":
                one = one.assigned(None, HELP, "manual", self.now)
            case "snooze":
                one = one.turned("snoozed", self.now + timedelta(hours=1), self.now)
        self.chats[id] = one

    @rule()
    def the_assigner_dies_before_its_commit(self):
        assign(self.queue(), self.agents())

    @rule()
    def the_assigner_runs(self):
        queue, agents = {one.chat: one for one in self.queue()}, self.agents()
        given_out = assign(queue.values(), agents)
        loads = {id: agent.load for id, agent in agents.items()}
        for one in given_out:
            waiting = queue[one.chat]
            able = [id for id in waiting.candidates if id in agents and loads[id] < agents[id].capacity and id != waiting.holder]
            assert self.people[one.agent].online, "to nobody who is offline"
            assert one.agent in able, "to nobody who may not have it or has no room"
            assert loads[one.agent] == min(loads[id] for id in able), "to the least loaded"
            loads[one.agent] += 1
            self.carry_out(one)
        places = {one.chat: place for place, one in enumerate(given_out)}
        assert len(places) == len(given_out), "never to two"
        for early in queue.values():
            for late in queue.values():
                ahead = (early.since, early.chat) < (late.since, late.chat) and early.candidates == late.candidates
                if ahead and early.holder is None and late.chat in places:
                    assert early.chat in places, "the longest waiting first"
                    assert places[early.chat] < places[late.chat], "the longest waiting first"
        self.nothing_is_stuck()

    def carry_out(self, one: Given) -> None:
        standing = self.chats[one.chat]
        self.chats[one.chat] = standing.assigned(one.agent, standing.team, "auto", self.now)
        self.people[one.agent].turn = one.turn

    def nothing_is_stuck(self):
        agents = self.agents()
        for waiting in self.queue():
            for id in waiting.candidates & set(agents):
                assert id == waiting.holder or agents[id].load >= agents[id].capacity, "somebody could have it"
        assert assign(self.queue(), agents) == [], "run again it comes to the same"

    @invariant()
    def a_chat_is_either_in_the_queue_or_somebodys(self):
        for one in self.chats.values():
            if one.queued_at is not None:
                assert one.assignee is None
                assert one.status == "open"
            if one.status == "open" and one.waiting_since is not None:
                assert one.assignee is not None or one.queued_at is not None, "who waits is in the queue"
            if one.status == "closed":
                assert one.waiting_since is None


TestOffice = Office.TestCase
TestOffice.settings = settings(max_examples=60, stateful_step_count=40)
