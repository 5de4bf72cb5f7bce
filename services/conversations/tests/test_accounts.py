"""What auth says that an account may do, and how it is kept to."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from contracts import ids
from contracts.commands import SendMessage
from contracts.envelope import wrap
from contracts.events.auth import AccountChanged, AccountRegistered, Limits
from contracts.principal import Role
from conversations.consumers import accounts
from conversations.domain.allowance import AccountSuspended, Day, MessageLimit
from conversations.store.accounts import spend
from hypothesis import given
from hypothesis import strategies as st
from servicekit.db import raw

from .facts import a_device, a_message

ZONES = st.sampled_from(
    ["UTC", "America/Bogota", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia", "America/Santiago", "Nowhere/Never"]
)
MOMENTS = st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def changed(revision: int, most: int | None = None, *, suspended: bool = False, zone: str = "America/Bogota") -> AccountChanged:
    return AccountChanged(
        name="Panadería Sol",
        locale="es",
        time_zone=zone,
        currency="COP",
        limits=Limits(messages_per_day=most),
        suspended=suspended,
        revision=revision,
    )


@pytest.fixture
def told(world, tenant) -> Any:
    """Let conversations hear of the account."""

    async def tell(*facts: Any) -> None:
        await accounts.handler(world.db)([wrap(tenant, fact) for fact in facts])

    return tell


@pytest.fixture
async def write(client, world, signed_in, tenant, device):
    """Write once into Ana's chat."""
    await world.handle([a_device(tenant, device), a_message(tenant, device)])
    headers = signed_in(Role.AGENT, tenant).headers
    [chat] = (await client.get("/api/chats", headers=headers)).json()["items"]

    async def once(**more: str) -> Any:
        return await client.post("/api/messages/send", json={"chat_id": chat["id"], "text": "Hola"}, headers=headers | more)

    return once


@given(MOMENTS, ZONES)
def test_a_day_holds_its_moment_and_ends_where_the_next_one_begins(now, zone):
    day = Day.at(now, zone)
    assert now < day.ends_at <= now + timedelta(hours=26)
    following = Day.at(day.ends_at, zone)
    assert following.date == day.date + timedelta(days=1)
    assert Day.at(day.ends_at - timedelta(seconds=1), zone).date == day.date


def test_the_day_of_an_account_is_that_of_its_zone():
    late = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
    assert Day.at(late, "America/Bogota") == Day(
        datetime(2026, 11, 21, tzinfo=ZoneInfo("America/Bogota")).date(), late.replace(hour=5, minute=0)
    )
    assert Day.at(late, "UTC").date.day == 22


async def test_an_account_of_which_nothing_was_said_writes_as_much_as_it_likes(write):
    for _ in range(3):
        assert (await write()).status_code == 202


async def test_over_the_days_limit_nothing_is_written_and_the_answer_says_when_it_opens(world, told, write):
    await told(changed(1, 2))
    answers = [await write() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    refused = answers[-1].json()
    assert (refused["code"], refused["most"]) == ("message-limit", 2)
    opens = datetime.fromisoformat(refused["opens_at"])
    assert opens.astimezone(ZoneInfo("America/Bogota")).hour == 0
    left = (opens - datetime.now(UTC)).total_seconds()
    assert left - 60 < int(answers[-1].headers["Retry-After"]) == refused["retry_after"] <= left + 60
    assert len(await world.told(SendMessage)) == 2
    assert len(await world.rows("select from messages where from_me")) == 2


async def test_the_same_message_twice_by_its_key_counts_once_and_a_refusal_is_not_kept(told, write):
    await told(changed(1, 1))
    assert (await write(**{"Idempotency-Key": "a"})).status_code == 202
    assert (await write(**{"Idempotency-Key": "a"})).status_code == 202
    assert (await write(**{"Idempotency-Key": "b"})).status_code == 429
    await told(changed(2, 2))
    assert (await write(**{"Idempotency-Key": "b"})).status_code == 202


async def test_many_at_once_are_not_more_than_the_limit(told, write):
    await told(changed(1, 3))
    answers = await asyncio.gather(*(write() for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 5


async def test_a_new_day_begins_anew_and_a_message_that_is_not_sent_after_all_does_not_count(world, told, tenant):
    await told(changed(1, 1))
    noon = datetime(2026, 11, 21, 17, tzinfo=UTC)

    async def write_at(at: datetime) -> None:
        async with world.db.transaction(tenant) as tx:
            await spend(await raw(tx), tenant, at)

    async def write_in_vain(at: datetime) -> None:
        async with world.db.transaction(tenant) as tx:
            await spend(await raw(tx), tenant, at)
            raise RuntimeError("in vain")

    with pytest.raises(RuntimeError, match="in vain"):
        await write_in_vain(noon)
    await write_at(noon)
    with pytest.raises(MessageLimit):
        await write_at(noon + timedelta(hours=11, minutes=59))
    await write_at(noon + timedelta(hours=12))
    await write_at(noon + timedelta(days=30))
    assert len(await world.rows("select from message_days")) == 1


async def test_a_suspended_account_writes_nothing_until_it_is_let_in_again(world, told, tenant, write):
    await told(changed(1, suspended=True))
    refused = await write()
    assert (refused.status_code, refused.json()["code"]) == (403, "account-suspended")
    assert not await world.told(SendMessage)
    async with world.db.transaction(tenant) as tx:
        with pytest.raises(AccountSuspended):
            await spend(await raw(tx), tenant, datetime.now(UTC))
    await told(changed(2))
    assert (await write()).status_code == 202


async def test_the_newest_revision_counts_in_whatever_order_it_comes(told, write, tenant):
    registered = AccountRegistered(name="Panadería Sol", locale="es", time_zone="America/Bogota", currency="COP")
    await told(changed(3), changed(2, suspended=True))
    await told(changed(1, 0), registered)
    assert (await write()).status_code == 202


async def test_another_accounts_limit_is_its_own(world, write):
    await accounts.handler(world.db)([wrap(ids.new(), changed(1, 0, suspended=True))])
    assert (await write()).status_code == 202
