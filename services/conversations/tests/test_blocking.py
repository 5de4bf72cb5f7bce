"""Blocking on WhatsApp itself: which numbers are ordered to, what becomes of what they say, and what the phone does."""

import itertools
from typing import Any

import msgspec
import pytest
from contracts import ids
from contracts.commands import BlockPerson, ErasePerson
from contracts.envelope import wrap
from contracts.events.conversations import ChatChanged, ContactChanged
from contracts.events.devices import BlockObserved, BlockSettled, BlocksListed
from contracts.ids import DeviceId
from contracts.principal import Access
from contracts.whatsapp import Address
from conversations.domain.blocking import OnNumber, is_due
from conversations.store import reading
from conversations.timers import erasing
from servicekit.db import raw

from .facts import ANA, ANA_LID, BEA, a_deletion, a_device, a_message, later

PHONED, HERE, FAILED = OnNumber(True, "done", True), OnNumber(True, "done", False), OnNumber(True, "failed", False)
FREED, GONE = OnNumber(False, "done", True), OnNumber(False, "done", False)


@pytest.mark.parametrize(
    ("present", "wanted", "heard", "asked", "merged"),
    [
        (None, True, True, True, True),
        (None, False, False, False, False),
        (HERE, True, False, False, True),
        (HERE, False, True, True, True),
        (FAILED, True, False, True, True),
        (PHONED, False, False, True, False),
        (FREED, True, False, True, False),
        (FREED, False, False, False, False),
        (GONE, True, True, True, True),
    ],
)
def test_a_number_is_ordered_what_it_does_not_do_and_nothing_against_its_phone_unasked(present, wanted, heard, asked, merged):
    assert [is_due(present, wanted, occasion) for occasion in ("heard", "asked", "merged")] == [heard, asked, merged]


@pytest.fixture
def boss(signed_in, tenant):
    return signed_in(tenant=tenant)


@pytest.fixture
def other():
    return DeviceId(ids.new())


@pytest.fixture
async def ana(world, client, tenant, device, other, boss):
    """Somebody with chats on two numbers, known by phone and LID."""
    await world.handle(
        [
            a_device(tenant, device),
            a_device(tenant, other, name="Soporte"),
            a_message(tenant, device, chat_alt=ANA_LID, push_name="Ana"),
            a_message(tenant, other, at=later(1)),
        ]
    )
    [one] = (await client.get("/api/contacts", headers=boss.headers)).json()["items"]
    await world.forget_told()
    return one["id"]


@pytest.fixture
def do(client, boss):
    async def post(contact, what, body=None) -> dict[str, Any]:
        answer = await client.post(f"/api/contacts/{contact}/{what}", json=body or {}, headers=boss.headers | {"Idempotency-Key": what})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    return post


@pytest.fixture
def show(client, boss):
    async def get(contact) -> dict[str, Any]:
        return dict((await client.get(f"/api/contacts/{contact}", headers=boss.headers)).json())

    return get


def stands(contact, device):
    """How it stands on one number: blocked, state, reason, by the phone."""
    [one] = [one for one in contact["blocks"] if one["device_id"] == ids.public(ids.DEVICE, device)]
    return one["blocked"], one["state"], one.get("reason"), one.get("by_phone", False)


def settled(tenant, order, outcome="done", **more):
    body = BlockSettled(
        block=order.block, device=order.device, blocked=order.blocked, revision=order.revision, outcome=outcome, at=later(60), **more
    )
    return wrap(tenant, body)


def seen(tenant, device, blocked, at=10**6, address=ANA_LID):
    return wrap(tenant, BlockObserved(device=device, address=address, blocked=blocked, at=later(at)))


async def orders(world):
    return [one.data for one in await world.told(BlockPerson)]


async def test_every_number_with_a_chat_is_ordered_to_block_and_says_how_that_ended(world, do, show, ana, tenant, device, other):
    shown = await do(ana, "block")
    assert [stands(shown, one) for one in (device, other)] == [(True, "pending", None, False)] * 2
    given = await orders(world)
    assert {one.device for one in given} == {device, other}
    assert all(one.blocked and one.revision == 1 and set(one.addresses) == {ANA, ANA_LID} for one in given)
    await do(ana, "block")
    assert len(await orders(world)) == 2, "what is under way is not ordered twice"

    first, second = given
    await world.forget_told()
    late = settled(tenant, first, "failed", reason="refused")
    await world.handle([settled(tenant, first), late, settled(tenant, second, "failed", reason="not-on-whatsapp"), settled(tenant, first)])
    shown = await show(ana)
    assert stands(shown, first.device) == (True, "done", None, False), "an order ends once"
    assert stands(shown, second.device) == (True, "failed", "not-on-whatsapp", False)
    changes = [one.data for one in await world.told(ContactChanged)]
    assert {one.state for one in changes[-1].blocks} == {"done", "failed"}
    assert changes[-1].deed is None

    await do(ana, "block")
    [again] = await orders(world)
    assert (again.block, again.revision) == (second.block, 2), "what was given up is tried again"
    await world.forget_told()
    assert [one["blocked"] for one in (await do(ana, "unblock"))["blocks"]] == [False, False]
    freed = await orders(world)
    assert sorted((one.block, one.blocked, one.revision) for one in freed) == sorted([(first.block, False, 2), (second.block, False, 3)])
    await world.handle([settled(tenant, second, reason=None), settled(tenant, again), *(settled(tenant, one) for one in freed)])
    assert (await show(ana)).get("blocks", []) == []


async def test_a_number_that_is_away_is_said_to_be_the_reason_and_one_that_is_gone_is_no_more(world, do, show, ana, tenant, device, other):
    await world.handle([a_device(tenant, other, name="Soporte", state="disconnected", revision=2)])
    assert stands(await do(ana, "block"), other) == (True, "pending", "not-connected", False)
    await world.handle([a_deletion(tenant, other)])
    assert [one["device_id"] for one in (await show(ana))["blocks"]] == [ids.public(ids.DEVICE, device)]


async def test_somebody_blocked_who_writes_to_another_number_is_blocked_there_as_well(world, do, ana, tenant, device):
    await do(ana, "block")
    await world.forget_told()
    third = DeviceId(ids.new())
    await world.handle([a_message(tenant, device, at=later(5)), a_message(tenant, third, at=later(6))])
    [order] = await orders(world)
    assert (order.device, order.blocked) == (third, True)


async def test_who_turns_out_to_be_somebody_blocked_is_blocked_by_every_address(world, client, boss, do, show, ana, tenant, device, other):
    await do(ana, "block")
    await world.handle([settled(tenant, one) for one in await orders(world)])
    await world.handle([a_message(tenant, device, chat=BEA, push_name="Bea")])
    [bea] = [one for one in (await client.get("/api/contacts", headers=boss.headers)).json()["items"] if one["name"] == "Bea"]
    await world.forget_told()
    merged = await do(ana, "merge", {"into": bea["id"]})
    assert merged["blocked"]
    given = await orders(world)
    assert {one.device for one in given} == {device, other}
    assert all(set(one.addresses) == {ANA, ANA_LID, BEA} for one in given)
    assert all(one.revision == 2 for one in given)
    await world.handle([settled(tenant, one) for one in given])
    assert [stands(await show(bea["id"]), one)[1] for one in (device, other)] == ["done", "done"]


async def test_what_the_phone_does_stands_and_all_of_them_together_block_the_contact(world, do, show, ana, tenant, device, other):
    await world.handle([seen(tenant, device, True)])
    shown = await show(ana)
    assert (shown.get("blocked", False), stands(shown, device)) == (False, (True, "done", None, True)), "the other number still hears them"
    assert await world.told(ChatChanged) == []
    await world.handle([seen(tenant, other, True), seen(tenant, other, True)])
    assert (await show(ana))["blocked"] is True
    assert [one.data.deed for one in await world.told(ContactChanged)] == [None, "blocked"]
    assert len(await world.told(ChatChanged)) == 2, "its chats are closed, as by hand"
    assert await orders(world) == []

    await world.handle([seen(tenant, device, False, 2 * 10**6), a_message(tenant, device, at=later(2 * 10**6))])
    assert (await show(ana))["blocked"] is True
    assert await orders(world) == [], "nothing is ordered against what the phone did"
    await world.handle([seen(tenant, device, True, 10**6), seen(tenant, other, False, 3 * 10**6)])
    shown = await show(ana)
    assert (shown["blocked"], [stands(shown, one)[0] for one in (device, other)]) == (False, [False, False])
    await do(ana, "block")
    assert len(await orders(world)) == 2, "whoever blocks here means every number"


async def test_the_last_word_of_a_phone_counts_whatever_comes_first(world, show, ana, tenant):
    for order in itertools.permutations(range(3)):
        number = DeviceId(ids.new())
        words = [seen(tenant, number, True, 100), seen(tenant, number, False, 200), seen(tenant, number, True, 300)]
        for place in order:
            await world.handle([words[place]])
        assert stands(await show(ana), number)[:2] == (True, "done"), order


def the_list(tenant, device, *addresses, at=10**6, whole=True):
    return wrap(tenant, BlocksListed(device=device, addresses=addresses, whole=whole, at=later(at)))


async def test_whom_a_number_blocked_before_it_was_linked_is_blocked_here_and_the_list_that_is_shorter_since_frees_them(
    world, show, ana, tenant, device, other
):
    somebody = Address("lid", "104200000000077")
    await world.handle([the_list(tenant, device, somebody, ANA_LID), the_list(tenant, other)])
    shown = await show(ana)
    assert (shown.get("blocked", False), stands(shown, device)) == (False, (True, "done", None, True))
    assert len(shown["blocks"]) == 1
    await world.handle([the_list(tenant, other, ANA_LID, at=2 * 10**6)] * 2)
    assert (await show(ana))["blocked"] is True
    assert [one.data.deed for one in await world.told(ContactChanged)] == [None, "blocked"], "a list that is told again changes nothing"
    await world.handle([the_list(tenant, one, somebody, at=3 * 10**6, whole=False) for one in (device, other)])
    assert (await show(ana))["blocked"] is True, "who is not named on a part of a list may be on the rest"
    await world.handle([the_list(tenant, one, somebody, at=4 * 10**6) for one in (device, other)])
    shown = await show(ana)
    assert (shown["blocked"], [stands(shown, one)[0] for one in (device, other)]) == (False, [False, False])
    assert await orders(world) == []


@pytest.mark.parametrize(
    ("known", "listed"),
    [(BEA, Address("lid", "104200000000077")), (ANA_LID, Address("pn", "5215550000077"))],
    ids=["by phone", "by LID"],
)
async def test_a_list_says_nothing_of_somebody_who_is_known_by_another_kind_of_address_alone(
    world, client, boss, do, show, tenant, device, known, listed
):
    await world.handle([a_device(tenant, device), a_message(tenant, device, chat=known, push_name="Bea")])
    [bea] = (await client.get("/api/contacts", headers=boss.headers)).json()["items"]
    await do(bea["id"], "block")
    [order] = await orders(world)
    await world.handle([settled(tenant, order), the_list(tenant, device, listed)])
    assert stands(await show(bea["id"]), device) == (True, "done", None, False)


async def test_who_is_erased_is_unblocked_where_the_block_was_ordered_here(world, client, bus, boss, do, ana, tenant):
    await do(ana, "block")
    first, second = await orders(world)
    freed = seen(tenant, second.device, False)
    await world.handle([settled(tenant, first), settled(tenant, second), freed, seen(tenant, second.device, True, 2 * 10**6)])
    await world.forget_told()
    receipt = (await client.post(f"/api/contacts/{ana}/erase", headers=boss.headers)).json()
    await erasing.go_on(world.db, bus, tenant, ids.parse(ids.ERASURE, receipt["id"]))
    [undone] = await orders(world)
    assert (undone.device, undone.block, undone.blocked, undone.revision) == (first.device, first.block, False, 2)
    assert set(undone.addresses) == {ANA, ANA_LID}
    assert [type(one.data) for one in await world.told() if isinstance(one.data, BlockPerson | ErasePerson)] == [BlockPerson, ErasePerson]


async def test_a_word_of_the_phone_does_not_undo_what_is_just_being_done(world, do, show, ana, tenant, device):
    await do(ana, "block")
    await world.handle([seen(tenant, device, False)])
    assert stands(await show(ana), device) == (True, "pending", None, False)
    await world.handle([seen(tenant, device, True, address=BEA)])
    assert stands(await show(ana), device)[1] == "pending", "of somebody unknown nothing is made"


async def test_who_does_not_see_a_number_does_not_see_what_it_does(world, do, ana, boss, tenant, device):
    await do(ana, "block")
    agent = msgspec.structs.replace(boss.principal, access=Access(devices=frozenset({device})))
    async with world.db.transaction(tenant) as tx:
        row = await reading.contact(await raw(tx), tenant, ids.parse(ids.CONTACT, ana), agent)
    assert [one.device_id for one in row.blocks] == [ids.public(ids.DEVICE, device)]
