"""Reactions, edits and deletions: the pure rules under any order, and what they do to stored messages."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contracts import ids
from contracts.commands import FetchMedia
from contracts.envelope import wrap
from contracts.events.conversations import MessageDeleted, MessageEdited, MessageReacted, MessageReceived
from contracts.events.devices import MediaFailed, MediaStored
from contracts.ids import ChatId, DeviceId, MessageId, TenantId
from contracts.media import object_key
from contracts.principal import Role
from contracts.whatsapp import Media, MediaSource, Quoted
from conversations.consumers import media
from conversations.domain.acts import DELETES_WITHIN, EDITS_WITHIN, Act, Stands
from conversations.store import retention
from hypothesis import given
from hypothesis import strategies as st
from servicekit import cursors
from servicekit.db import raw

from .facts import BEA, NOON, a_message, a_sent, an_unsent, later

TENANT, DEVICE, CHAT = TenantId(ids.new()), DeviceId(ids.new()), ChatId(ids.new())


def acts_of(*kinds: str) -> st.SearchStrategy[Act]:
    return st.builds(
        Act,
        tenant=st.just(TENANT),
        id=st.uuids(),
        device=st.just(DEVICE),
        chat=st.just(CHAT),
        wa_id=st.just("A1"),
        kind=st.sampled_from(kinds),
        from_me=st.booleans(),
        at=st.integers(0, 4).map(lambda n: NOON + timedelta(seconds=n)),
        participant=st.sampled_from(["", "lid:1", "lid:2"]),
        text=st.sampled_from(["", "👍", "hola", "buenas"]),
    )


acts = acts_of("reaction", "edit", "delete")


def after(message: Stands, some: list[Act]) -> Stands:
    for act in some:
        if message.may(act):
            message = message.after(act)
    return message


@given(st.lists(acts, max_size=8), st.randoms(use_true_random=False))
def test_neither_order_nor_repeats_of_acts_change_what_becomes_of_a_message(some: list[Act], order: random.Random):
    message = Stands(from_me=False, participant="", text="hola")
    again = [*some, *some[:3]]
    order.shuffle(again)
    assert after(message, some) == after(message, again)


@given(st.lists(acts_of("edit"), max_size=8), st.randoms(use_true_random=False))
def test_everything_that_a_message_ever_said_is_known_whatever_the_order(some: list[Act], order: random.Random):
    edits = [replace(act, from_me=False, participant="", text=act.text or "otra") for act in some]
    message, said = Stands(from_me=False, participant="", text="hola"), set()
    again = [*edits, *edits[:3]]
    order.shuffle(again)
    for act in again:
        said |= {message.former(act, NOON)} - {None}
        message = message.after(act)
    every = {(NOON, "hola"), *((act.at, act.text) for act in edits)}
    assert said | {(message.edited_at or NOON, message.text)} == every
    gone = replace(message, deleted_at=NOON, text=None)
    assert [gone.former(act, NOON) for act in edits] == [None] * len(edits)


@given(acts)
def test_only_its_sender_changes_a_message_or_takes_it_back(act: Act):
    message = Stands(from_me=True, participant="", text="hola")
    if act.kind != "reaction" and not (act.from_me and act.participant == ""):
        assert not message.may(act)


def about(tenant, device, kind, wa_id="A1", **changes):
    return a_message(tenant, device, **({"kind": kind, "quoted": Quoted(wa_id=wa_id), "at": later(5)} | changes))


async def test_what_is_done_to_a_message_shows_on_it_and_is_told(world, tenant, device):
    await world.handle([a_message(tenant, device, wa_id="A1")])
    await world.forget_told()
    await world.handle([about(tenant, device, "reaction", text="👍", push_name="Ana"), about(tenant, device, "edit", text="Buenas")])
    reacted, edited = (await world.told(MessageReacted))[0].data, (await world.told(MessageEdited))[0].data
    assert [(r.emoji, r.from_me, r.sender_name) for r in reacted.reactions] == [("👍", False, "Ana")]
    assert (edited.text, edited.edited_at) == ("Buenas", later(5))
    await world.handle([about(tenant, device, "delete", at=later(6))])
    deleted = (await world.told(MessageDeleted))[0].data
    assert (deleted.text, deleted.reactions, deleted.deleted_at) == (None, (), later(6))
    assert await world.rows("select text, reactions from messages") == [{"text": None, "reactions": None}]


async def former(client, someone, message):
    answer = await client.get(f"/api/messages/{ids.public(ids.MESSAGE, message)}/edits", headers=someone.headers)
    return [(one["text"], datetime.fromisoformat(one["at"])) for one in answer.json()["items"]] if answer.status_code == 200 else answer


async def test_what_a_message_said_before_is_kept_until_it_is_taken_back(client, world, tenant, device, signed_in):
    owner = signed_in(Role.OWNER, tenant)
    await world.handle([a_message(tenant, device, wa_id="A1")])
    [row] = await world.rows("select id, at from messages")
    assert await former(client, owner, row["id"]) == []
    third, second = (about(tenant, device, "edit", text=text, at=later(n)) for n, text in ((7, "Buenas tardes"), (5, "Buenas")))
    await world.handle([third])
    await world.handle([second, third])
    await world.handle([second])
    assert await former(client, owner, row["id"]) == [("Hola", row["at"]), ("Buenas", later(5))]
    stranger = signed_in(Role.OWNER, TENANT)
    assert (await former(client, stranger, row["id"])).json()["code"] == "message-not-found"
    await world.handle([about(tenant, device, "delete", at=later(9))])
    assert await former(client, owner, row["id"]) == []
    await world.handle([second])
    assert await world.rows("select 1 from former_texts") == []


async def test_what_a_message_said_before_goes_with_it(client, world, tenant, device, signed_in):
    await world.handle([a_message(tenant, device, wa_id="A1"), about(tenant, device, "edit", text="Buenas")])
    assert len(await world.rows("select 1 from former_texts")) == 1
    async with world.db.transaction(tenant) as tx:
        c = await raw(tx)
        [row] = await c.fetch("select id from messages")
        assert await retention.remove(c, tenant, [row["id"]]) == 1
    assert await world.rows("select 1 from former_texts") == []


async def test_what_comes_before_its_message_waits_for_it(world, tenant, device):
    await world.handle([about(tenant, device, "edit", text="Buenas")])
    await world.handle([about(tenant, device, "reaction", text="👍")])
    assert len(await world.rows("select 1 from acts")) == 2
    await world.handle([a_message(tenant, device, wa_id="A1")])
    [received] = await world.told(MessageReceived)
    assert (received.data.text, [r.emoji for r in received.data.reactions]) == ("Buenas", ["👍"])
    assert await world.rows("select 1 from acts") == []
    assert await world.rows("select kind, text from messages") == [{"kind": "text", "text": "Buenas"}]


async def test_nobody_changes_a_message_of_another_chat_or_of_the_other_side(world, tenant, device):
    await world.handle([a_message(tenant, device, wa_id="A1")])
    await world.handle([about(tenant, device, "edit", text="Falso", chat=BEA), about(tenant, device, "delete", from_me=True)])
    assert await world.rows("select text, deleted_at from messages where wa_id = 'A1'") == [{"text": "Hola", "deleted_at": None}]


SOURCE = MediaSource(path="/v/1", key=b"k" * 32, enc_sha256=b"e" * 32, sha256=b"s" * 32)


async def test_a_file_is_ordered_once_and_its_message_shows_how_that_ended(world, tenant, device):
    cursors.init("c" * 32)
    picture = Media(mime="image/jpeg", size=5, source=SOURCE)
    event = a_message(tenant, device, wa_id="A1", kind="image", text=None, media=picture)
    old = a_message(tenant, device, wa_id="A2", kind="image", text=None, media=picture, history=True)
    await world.handle([event, old])
    await world.handle([event])
    [order] = await world.told(FetchMedia)
    assert (order.data.source, order.data.attempt) == (SOURCE, 1)
    handle = media.handler(world.db)
    stored = MediaStored(
        media=order.data.media, device=device, object=object_key(tenant, "ab" * 32), mime="image/png", size=5, sha256="ab" * 32
    )
    failed = MediaFailed(media=order.data.media, device=device, reason="media-unreachable")
    await handle([wrap(tenant, failed)])
    await handle([wrap(tenant, stored)])
    await handle([wrap(tenant, failed), wrap(tenant, stored)])
    changes = [e.data.media for e in await world.told() if e.type == "conversations.media.changed"]
    assert [(m.state, m.reason) for m in changes] == [("failed", "media-unreachable"), ("ready", None)]
    assert changes[1].mime == "image/png"
    assert changes[1].url.startswith("/api/media/file?token=")
    assert await world.rows("select state from media order by state") == [{"state": "pending"}, {"state": "ready"}]


async def test_a_file_without_its_key_is_said_to_be_expired(world, tenant, device):
    await world.handle([a_message(tenant, device, kind="image", media=Media(mime="image/jpeg", size=5))])
    [received] = await world.told(MessageReceived)
    assert received.data.media.state == "expired"
    assert await world.told(FetchMedia) == []


async def ordered(world, tenant, device, kind, text):
    """An act from here is on its way, as the API leaves it."""
    [row] = await world.rows("select id, chat, wa_id from messages")
    order = MessageId(ids.new())
    await world.admin.execute(
        "insert into acts (tenant, id, device, chat, wa_id, state, kind, from_me, text, at) "
        "values ($1, $2, $3, $4, $5, 'ordered', $6, true, $7, $8)",
        *(tenant, order, device, row["chat"], row["wa_id"], kind, text, NOON),
    )
    return order


async def test_what_is_done_from_here_shows_when_whatsapp_has_taken_it(world, tenant, device):
    await world.handle([a_message(tenant, device, wa_id="A1")])
    first = await ordered(world, tenant, device, "reaction", "❤")
    await world.handle([a_sent(tenant, device, first, "B1")])
    second = await ordered(world, tenant, device, "reaction", "👎")
    await world.handle([an_unsent(tenant, device, second, "failed", reason="expired")])
    took, failed = await world.told(MessageReacted)
    assert [(r.emoji, r.from_me) for r in took.data.reactions] == [("❤", True)]
    assert (failed.data.failed, [r.emoji for r in failed.data.reactions]) == ("expired", ["❤"])
    assert await world.rows("select 1 from acts") == []


async def test_a_message_is_changed_and_taken_back_within_its_time_and_not_after(client, world, tenant, device, signed_in):
    someone = signed_in(Role.AGENT, tenant)
    now = datetime.now(UTC)
    for way, within, code in (("PATCH", EDITS_WITHIN, "edit-window-over"), ("DELETE", DELETES_WITHIN, "delete-window-over")):
        for age, refused in ((within - timedelta(minutes=1), None), (within + timedelta(minutes=1), code)):
            await world.handle([a_message(tenant, device, from_me=True, wa_id=f"{way}{refused}", at=now - age)])
            [row] = await world.rows("select id from messages where wa_id = $1", f"{way}{refused}")
            path = f"/api/messages/{ids.public(ids.MESSAGE, row['id'])}"
            headers = someone.headers | {"Idempotency-Key": f"{way}{refused}"}
            answer = await client.request(way, path, json={"text": "Otra"} if way == "PATCH" else None, headers=headers)
            assert (answer.status_code, answer.json().get("code")) == ((409, code) if refused else (202, None)), answer.text
