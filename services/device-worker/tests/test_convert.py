"""WhatsApp's events as facts: by example, and with anything that a protobuf can hold."""

from datetime import UTC, datetime
from typing import Any

import pytest
from contracts import envelope, ids
from contracts.commands import SendMessage
from contracts.ephemeral import TypingObserved
from contracts.events.devices import MessageObserved, MessageUnreadable, ReceiptObserved
from contracts.ids import DeviceId, MessageId, TenantId
from contracts.whatsapp import Address, ContactCard, Location, Media, MediaSource, Quoted, Raw
from device_worker import convert
from device_worker.whatsapp.proto import EVENTS, JOURNALLED, Kind, e2e, history, neonize_pb2, parse
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

TENANT, DEVICE = TenantId(ids.new()), DeviceId(ids.new())
SEEN = datetime(2026, 11, 21, 12, tzinfo=UTC)
JPEG = e2e.ImageMessage(mimetype="image/jpeg", caption="pic", fileLength=70_000, width=640, height=480, fileSHA256=b"\x01" * 32)


def a_jid(user: str, server: str = "s.whatsapp.net", device: int = 0) -> Any:
    return neonize_pb2.JID(User=user, Server=server, Device=device, RawAgent=0, Integrator=0, IsEmpty=not user)


EMPTY = a_jid("", "")


def a_source(**changes: Any) -> Any:
    values = {
        "Chat": a_jid("5215"),
        "Sender": a_jid("5215", device=3),
        "IsFromMe": False,
        "IsGroup": False,
        "SenderAlt": a_jid("77", "lid"),
        "RecipientAlt": EMPTY,
        "BroadcastListOwner": EMPTY,
    }
    return neonize_pb2.MessageSource(**(values | changes))


def a_message(message: Any, source: Any = None, **info: Any) -> Any:
    values = {
        "MessageSource": source or a_source(),
        "ID": "3EB0",
        "ServerID": 0,
        "Type": "text",
        "Pushname": "Ana",
        "Timestamp": 1_700_000_000_123,
        "Category": "",
        "Multicast": False,
        "MediaType": "",
        "Edit": "",
    }
    event = neonize_pb2.Message()
    event.Info.MergeFrom(neonize_pb2.MessageInfo(**(values | info)))
    event.Message.MergeFrom(message)
    return event


def a_receipt(type: int, source: Any = None, ids: tuple[str, ...] = ("A", "B")) -> Any:
    return neonize_pb2.Receipt(MessageSource=source or a_source(), MessageIDs=ids, Timestamp=1_700_000_000, Type=type)


def facts(kind: int, event: Any, **options: Any) -> list[Any]:
    return [fact.data for fact in convert.observe(kind, event, tenant=TENANT, device=DEVICE, seen_at=SEEN, **options)]


def test_a_text_of_a_customer():
    [fact] = convert.observe(Kind.MESSAGE, a_message(e2e.Message(conversation="hola")), tenant=TENANT, device=DEVICE, seen_at=SEEN)
    assert fact.data == MessageObserved(
        device=DEVICE,
        chat=Address("pn", "5215"),
        chat_alt=Address("lid", "77"),
        wa_id="3EB0",
        from_me=False,
        at=datetime.fromtimestamp(1_700_000_000.123, UTC),
        kind="text",
        text="hola",
        push_name="Ana",
    )
    assert (fact.tenant, fact.audience.device, fact.id) == (TENANT, DEVICE, fact.data.identity())


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        (e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text="see https://x")), "text", "see https://x"),
        (e2e.Message(imageMessage=JPEG), "image", "pic"),
        (e2e.Message(videoMessage=e2e.VideoMessage(mimetype="video/mp4", seconds=5)), "video", None),
        (e2e.Message(audioMessage=e2e.AudioMessage(mimetype="audio/ogg; codecs=opus", PTT=True)), "voice", None),
        (e2e.Message(audioMessage=e2e.AudioMessage(mimetype="audio/mpeg")), "audio", None),
        (e2e.Message(stickerMessage=e2e.StickerMessage(mimetype="image/webp")), "sticker", None),
        (
            e2e.Message(
                documentWithCaptionMessage=e2e.FutureProofMessage(
                    message=e2e.Message(documentMessage=e2e.DocumentMessage(fileName="a.pdf", caption="offer"))
                )
            ),
            "document",
            "offer",
        ),
        (
            e2e.Message(locationMessage=e2e.LocationMessage(degreesLatitude=19.4, degreesLongitude=-99.1, name="Shop")),
            "location",
            "Shop\n19.400000, -99.100000",
        ),
        (e2e.Message(contactMessage=e2e.ContactMessage(displayName="Bob")), "contact", "Bob"),
        (e2e.Message(viewOnceMessageV2=e2e.FutureProofMessage(message=e2e.Message(imageMessage=JPEG))), "image", "pic"),
        (e2e.Message(buttonsResponseMessage=e2e.ButtonsResponseMessage(selectedDisplayText="Yes")), "text", "Yes"),
        (
            e2e.Message(
                pollCreationMessageV3=e2e.PollCreationMessage(
                    name="Lunch?", options=[e2e.PollCreationMessage.Option(optionName=name) for name in ("Yes", "No")]
                )
            ),
            "poll",
            "Lunch?\n- Yes\n- No",
        ),
        (e2e.Message(eventMessage=e2e.EventMessage(name="Party")), "unsupported", None),
    ],
)
def test_every_kind_of_message_is_told_as_what_it_is(message, kind, text):
    [body] = facts(Kind.MESSAGE, a_message(message))
    assert (body.kind, body.text) == (kind, text)


def test_a_file_is_described_as_the_sender_did():
    [body] = facts(Kind.MESSAGE, a_message(e2e.Message(imageMessage=JPEG)))
    assert (body.media.mime, body.media.size, body.media.width, body.media.sha256) == ("image/jpeg", 70_000, 640, "01" * 32)
    assert body.media.object is None


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        (e2e.Message(reactionMessage=e2e.ReactionMessage(key={"ID": "OLD"}, text="👍")), "reaction", "👍"),
        (e2e.Message(protocolMessage=e2e.ProtocolMessage(type=e2e.ProtocolMessage.REVOKE, key={"ID": "OLD"})), "delete", None),
        (
            e2e.Message(
                protocolMessage=e2e.ProtocolMessage(
                    type=e2e.ProtocolMessage.MESSAGE_EDIT, key={"ID": "OLD"}, editedMessage=e2e.Message(conversation="better")
                )
            ),
            "edit",
            "better",
        ),
        (
            e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text="yes", contextInfo=e2e.ContextInfo(stanzaID="OLD"))),
            "text",
            "yes",
        ),
    ],
)
def test_what_refers_to_another_message_names_it(message, kind, text):
    [body] = facts(Kind.MESSAGE, a_message(message))
    assert (body.kind, body.text, body.quoted.wa_id) == (kind, text, "OLD")


@pytest.mark.parametrize(
    "event",
    [
        a_message(e2e.Message(senderKeyDistributionMessage=e2e.SenderKeyDistributionMessage(groupID="g"))),
        a_message(e2e.Message(protocolMessage=e2e.ProtocolMessage(type=e2e.ProtocolMessage.APP_STATE_SYNC_KEY_SHARE))),
        a_message(e2e.Message(pollUpdateMessage=e2e.PollUpdateMessage())),
        a_message(e2e.Message()),
        a_message(e2e.Message(conversation="x"), Category="peer"),
        a_message(e2e.Message(conversation="x"), a_source(Chat=a_jid("status", "broadcast"))),
        a_message(e2e.Message(conversation="x"), a_source(Chat=a_jid("1203", "newsletter"))),
        a_message(e2e.Message(conversation="x"), a_source(Chat=a_jid("1203-1", "g.us"), IsGroup=True)),
        a_message(e2e.Message(conversation="x"), ID=""),
    ],
)
def test_what_is_no_message_to_anybody_is_not_told(event):
    assert facts(Kind.MESSAGE, event) == []


def test_a_message_in_a_group_is_told_where_groups_are_wanted():
    event = a_message(e2e.Message(conversation="x"), a_source(Chat=a_jid("1203-1", "g.us"), Sender=a_jid("77", "lid"), IsGroup=True))
    [body] = facts(Kind.MESSAGE, event, receive={"pn", "lid", "group"})
    assert (body.chat, body.sender, body.chat_alt) == (Address("group", "1203-1"), Address("lid", "77"), None)


def test_a_message_typed_on_the_own_phone_is_in_the_customers_thread():
    source = a_source(Chat=a_jid("77", "lid"), Sender=a_jid("999", device=0), IsFromMe=True, RecipientAlt=a_jid("5215"), SenderAlt=EMPTY)
    sent = e2e.Message(deviceSentMessage=e2e.DeviceSentMessage(destinationJID="77@lid", message=e2e.Message(conversation="me")))
    [body] = facts(Kind.MESSAGE, a_message(sent, source))
    assert (body.from_me, body.chat, body.chat_alt, body.text) == (True, Address("lid", "77"), Address("pn", "5215"), "me")


def test_what_could_not_be_decrypted_is_a_placeholder_that_its_content_does_not_collide_with():
    event = neonize_pb2.UndecryptableMessage(IsUnavailable=False, DecryptFailMode=1)
    event.Info.MergeFrom(a_message(e2e.Message()).Info)
    [placeholder] = facts(Kind.UNDECRYPTABLE, event)
    [content] = facts(Kind.MESSAGE, a_message(e2e.Message(conversation="x")))
    assert (placeholder.kind, placeholder.wa_id) == ("undecryptable", content.wa_id)
    assert placeholder.identity() != content.identity()
    event.DecryptFailMode = 2
    assert facts(Kind.UNDECRYPTABLE, event) == []


def test_a_message_of_which_only_the_id_is_left_is_a_placeholder_too():
    raw = convert.placeholder("3A5E", "5215@s.whatsapp.net")
    assert raw is not None
    [body] = facts(Kind.UNDECRYPTABLE, parse(Kind.UNDECRYPTABLE, raw))
    assert (body.kind, body.wa_id, body.chat, body.at) == ("undecryptable", "3A5E", Address("pn", "5215"), SEEN)
    assert convert.placeholder("3A5E", "1203@g.us") is None


@pytest.mark.parametrize(
    ("chat", "sender", "about"),
    [
        ("5215@s.whatsapp.net", "5215@s.whatsapp.net", Address("pn", "5215")),
        ("77@lid", "77.1:12@lid", Address("lid", "77")),
        ("5215:3@s.whatsapp.net", "5215:3@s.whatsapp.net", Address("pn", "5215")),
        ("5215@s.whatsapp.net", "5299:2@s.whatsapp.net", None),
        ("5299@s.whatsapp.net", "5299:2@s.whatsapp.net", None),
        ("1203@g.us", "77:3@lid", None),
        ("status@broadcast", "77@lid", None),
        ("5215@s.whatsapp.net", "", None),
    ],
)
def test_a_message_that_a_device_of_the_customers_could_not_read_is_told_and_one_of_our_own_or_of_a_member_is_not(chat, sender, about):
    raw = convert.unreadable("3EB0A1", chat, sender, {"5299", "88"})
    assert (raw is None) is (about is None)
    if raw is not None:
        [told] = convert.observe(Kind.UNREADABLE, parse(Kind.UNREADABLE, raw), tenant=TENANT, device=DEVICE, seen_at=SEEN)
        assert told.data == MessageUnreadable(device=DEVICE, chat=about, wa_id="3EB0A1", at=SEEN)
        assert (told.id, told.audience.device) == (told.data.identity(), DEVICE)


@pytest.mark.parametrize(
    ("type", "from_me", "expected"),
    [
        (neonize_pb2.Receipt.DELIVERED, False, ("delivered", False)),
        (neonize_pb2.Receipt.READ, False, ("read", False)),
        (neonize_pb2.Receipt.PLAYED, False, ("played", False)),
        (neonize_pb2.Receipt.READ_SELF, True, ("read", True)),
        (neonize_pb2.Receipt.DELIVERED, True, None),
        (neonize_pb2.Receipt.RETRY, False, None),
        (neonize_pb2.Receipt.SENDER, True, None),
    ],
)
def test_receipts_say_who_has_read_what(type, from_me, expected):
    found = facts(Kind.RECEIPT, a_receipt(type, a_source(IsFromMe=from_me)))
    assert [(body.status, body.own) for body in found] == ([expected] if expected else [])
    assert all(body.wa_ids == ["A", "B"] and body.at == datetime.fromtimestamp(1_700_000_000, UTC) for body in found)


@pytest.mark.parametrize(
    ("state", "media", "expected"),
    [("COMPOSING", "TEXT", "composing"), ("COMPOSING", "AUDIO", "recording"), ("PAUSED", "TEXT", "paused"), ("PAUSED", "AUDIO", "paused")],
)
def test_who_writes_or_records_and_who_has_stopped(state, media, expected):
    def event(**source):
        event = neonize_pb2.ChatPresence(State=state, Media=media)
        event.MessageSource.MergeFrom(a_source(**source))
        return event

    told = convert.typing(event(), DEVICE)
    assert told == TypingObserved(device=DEVICE, chat=Address("pn", "5215"), state=expected)
    assert convert.typing(event(Chat=a_jid("1203", "g.us"), IsGroup=True), DEVICE).chat == Address("group", "1203")
    assert convert.typing(event(IsFromMe=True), DEVICE) is None, "the owner on his own phone is no customer"
    assert convert.typing(event(Chat=EMPTY), DEVICE) is None


def test_of_a_history_the_latest_of_each_chat_are_told_as_old():
    sync = history.HistorySync(syncType=history.HistorySync.INITIAL_BOOTSTRAP)
    for chat in ("5215@s.whatsapp.net", "1203@g.us", "odd"):
        conversation = sync.conversations.add(ID=chat, lidJID="77@lid")
        for number in range(10):
            web = conversation.messages.add().message
            web.key.ID, web.key.fromMe = f"H{number}", number % 2 == 0
            web.message.conversation, web.messageTimestamp = f"old {number}", 1_600_000_000 + number
    event = neonize_pb2.HistorySync()
    event.Data.MergeFrom(sync)
    event.Data.progress = 40
    *found, advanced = facts(Kind.HISTORY_SYNC, event, history=3)
    assert (advanced.chats, advanced.messages, advanced.progress) == (3, 3, 40)
    assert [(body.text, body.from_me, body.history) for body in found] == [
        ("old 7", False, True),
        ("old 8", True, True),
        ("old 9", False, True),
    ]
    assert {body.chat_alt for body in found} == {Address("lid", "77")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5215:7@s.whatsapp.net", Address("pn", "5215")),
        ("5215.1:7@s.whatsapp.net", Address("pn", "5215")),
        ("5215@c.us", Address("pn", "5215")),
        ("77:3@lid", Address("lid", "77")),
        ("1203-99@g.us", Address("group", "1203-99")),
        ("status@broadcast", Address("status", "status")),
        ("12@broadcast", None),
        ("1203@newsletter", Address("channel", "1203")),
        ("abc@s.whatsapp.net", None),
        ("@s.whatsapp.net", None),
        ("5215", None),
        ("", None),
    ],
)
def test_an_address_is_read_for_what_it_is_or_not_at_all(text, expected):
    assert convert.parse_address(text) == expected


def test_a_time_that_no_clock_shows_is_the_time_it_was_seen():
    for stamp in (0, -62_135_596_800_000, 2**62):
        [body] = facts(Kind.MESSAGE, a_message(e2e.Message(conversation="x"), Timestamp=stamp))
        assert body.at == SEEN


def test_an_order_becomes_a_message_with_what_it_answers():
    order = SendMessage(message=MessageId(ids.new()), device=DEVICE, to=Address("pn", "5215"), kind="text", text="hi", expires_at=SEEN)
    assert e2e.Message.FromString(convert.compose(order) or b"").conversation == "hi"
    quoting = SendMessage(
        message=order.message,
        device=DEVICE,
        to=order.to,
        kind="text",
        text="hi",
        expires_at=SEEN,
        quoted=Quoted(wa_id="OLD", sender=Address("lid", "77")),
    )
    answer = e2e.Message.FromString(convert.compose(quoting) or b"").extendedTextMessage
    assert (answer.text, answer.contextInfo.stanzaID, answer.contextInfo.participant) == ("hi", "OLD", "77@lid")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(JOURNALLED)), st.binary(max_size=200))
def test_no_event_that_can_be_read_is_one_that_cannot_be_told(kind, raw):
    try:
        event = EVENTS[kind].FromString(raw)
    except DecodeError:
        return
    for fact in convert.observe(kind, event, tenant=TENANT, device=DEVICE, seen_at=SEEN, receive={"pn", "lid", "group"}):
        assert envelope.decode(envelope.encode(fact)).data == fact.data


_texts = st.one_of(st.text(max_size=30), st.just("\0"), st.just("5215:3@s.whatsapp.net"), st.just("77@lid"))
_numbers = st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)])
_leaves = {
    "CPPTYPE_STRING": _texts,
    "CPPTYPE_BOOL": st.booleans(),
    "CPPTYPE_INT32": _numbers,
    "CPPTYPE_INT64": st.one_of(_numbers, st.just(2**62)),
    "CPPTYPE_UINT32": st.sampled_from([0, 1, 2**32 - 1]),
    "CPPTYPE_UINT64": st.sampled_from([0, 1, 2**64 - 1]),
    "CPPTYPE_DOUBLE": st.floats(),
    "CPPTYPE_FLOAT": st.floats(width=32),
}


def fill(message: Any, draw: Any, depth: int) -> None:
    """Put anything into some of the fields."""
    names = {getattr(type(message).DESCRIPTOR.fields[0], name): name for name in _leaves} if type(message).DESCRIPTOR.fields else {}
    for field in type(message).DESCRIPTOR.fields:
        if field.message_type is not None:
            if (depth and draw(st.integers(0, 9)) == 0) or field.is_required:
                target = getattr(message, field.name)
                if field.is_repeated:
                    if not field.message_type.GetOptions().map_entry:
                        fill(target.add(), draw, depth - 1)
                else:
                    target.SetInParent()
                    fill(target, draw, depth - 1)
        elif field.cpp_type in names and not field.is_repeated and (field.is_required or draw(st.integers(0, 2)) == 0):
            value = draw(_leaves[names[field.cpp_type]])
            setattr(message, field.name, value.encode() if field.type == field.TYPE_BYTES else value)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_message_however_odd_is_one_that_cannot_be_told(data):
    field = data.draw(st.sampled_from([f.name for f in e2e.Message.DESCRIPTOR.fields if f.message_type is not None]))
    message = e2e.Message()
    part = getattr(message, field)
    part.SetInParent()
    fill(part, data.draw, 2)
    source = a_source(Chat=a_jid(data.draw(_texts), data.draw(st.sampled_from(["s.whatsapp.net", "lid", "g.us", "broadcast", "x"]))))
    event = a_message(
        message, source, ID=data.draw(_texts), Pushname=data.draw(_texts), Timestamp=data.draw(st.sampled_from([0, 2**62, 1]))
    )
    for fact in convert.observe(Kind.MESSAGE, event, tenant=TENANT, device=DEVICE, seen_at=SEEN, receive={"pn", "lid", "group"}):
        encoded = envelope.encode(fact)
        assert len(encoded) < 1 << 20
        assert b"\\u0000" not in encoded
        assert isinstance(fact.data, MessageObserved | ReceiptObserved)


def test_a_place_and_cards_come_with_what_is_in_them():
    place = e2e.LocationMessage(degreesLatitude=19.4, degreesLongitude=-99.1, name="Shop", address="Main 1")
    [body] = facts(Kind.MESSAGE, a_message(e2e.Message(locationMessage=place)))
    assert body.location == Location(latitude=19.4, longitude=-99.1, name="Shop", address="Main 1")
    live = e2e.LiveLocationMessage(degreesLatitude=1.5, degreesLongitude=2.5)
    [body] = facts(Kind.MESSAGE, a_message(e2e.Message(liveLocationMessage=live)))
    assert body.location == Location(latitude=1.5, longitude=2.5, live=True)
    card = "BEGIN:VCARD\nFN:Bob\nTEL;type=CELL;waid=52155:+52 155\nitem1.TEL:99\nEND:VCARD"
    [body] = facts(Kind.MESSAGE, a_message(e2e.Message(contactMessage=e2e.ContactMessage(displayName="Bob", vcard=card))))
    assert body.contacts == (ContactCard(name="Bob", phones=("+52 155", "99"), vcard=card),)


def test_what_is_to_be_seen_once_what_is_named_and_what_is_answered_are_told():
    context = e2e.ContextInfo(
        stanzaID="A1", participant="5215@s.whatsapp.net", quotedMessage=e2e.Message(conversation="¿sí?"), mentionedJID=["77@lid"]
    )
    text = e2e.ExtendedTextMessage(text="sí", contextInfo=context)
    [body] = facts(Kind.MESSAGE, a_message(e2e.Message(extendedTextMessage=text)))
    assert body.quoted == Quoted(wa_id="A1", sender=Address("pn", "5215"), kind="text", text="¿sí?")
    assert body.mentions == (Address("lid", "77"),)
    once = e2e.Message(viewOnceMessageV2=e2e.FutureProofMessage(message=e2e.Message(imageMessage=JPEG)))
    [body] = facts(Kind.MESSAGE, a_message(once))
    assert (body.kind, body.view_once, body.ephemeral) == ("image", True, True)


def test_what_nobody_knows_is_kept_as_it_came_unless_it_is_huge():
    [body] = facts(Kind.MESSAGE, a_message(e2e.Message(eventMessage=e2e.EventMessage(name="Party"))))
    assert body.raw.what == "eventMessage"
    assert e2e.Message.FromString(body.raw.data).eventMessage.name == "Party"
    [body] = facts(Kind.MESSAGE, a_message(e2e.Message(eventMessage=e2e.EventMessage(name="x" * 100_000))))
    assert body.raw == Raw(what="eventMessage")


def test_what_is_newer_than_the_library_is_shown_as_something():
    newer = e2e.Message.FromString(b"\xfa\x7f\x05later")  # field 2047
    [body] = facts(Kind.MESSAGE, a_message(newer))
    assert (body.kind, body.raw.what, body.raw.data) == ("unsupported", "unknown", b"\xfa\x7f\x05later")


def test_a_file_can_be_found_and_opened_later_only_if_all_that_takes_is_there():
    whole = e2e.ImageMessage(directPath="/v/1", mediaKey=b"k" * 32, fileEncSHA256=b"e" * 32, fileSHA256=b"s" * 32, fileLength=5)
    [body] = facts(Kind.MESSAGE, a_message(e2e.Message(imageMessage=whole)))
    assert body.media.source == MediaSource(path="/v/1", key=b"k" * 32, enc_sha256=b"e" * 32, sha256=b"s" * 32)
    for changes in ({"directPath": "https://evil"}, {"mediaKey": b"short"}, {"directPath": ""}):
        part = e2e.ImageMessage(**({"directPath": "/v/1", "mediaKey": b"k" * 32} | changes))
        [body] = facts(Kind.MESSAGE, a_message(e2e.Message(imageMessage=part)))
        assert body.media.source is None


def an_order(**changes: Any) -> SendMessage:
    fields: dict[str, Any] = {"message": MessageId(ids.new()), "device": DEVICE, "to": Address("lid", "77"), "expires_at": SEEN} | changes
    return SendMessage(**fields)


@pytest.mark.parametrize("kind", ["image", "video", "audio", "voice", "document", "sticker"])
def test_a_file_that_is_sent_reads_as_what_it_was(kind):
    media = Media(mime="x/y", size=5, file_name="a.bin", seconds=3, width=4, height=5, waveform=b"\x01\x64")
    uploaded = convert.Uploaded("", "/v/1", b"k" * 32, b"e" * 32, b"s" * 32, 5)
    caption = "caption" if kind in ("image", "video", "document") else None
    composed = convert.compose(an_order(kind=kind, media=media, text=caption), uploaded)
    [body] = facts(Kind.MESSAGE, a_message(e2e.Message.FromString(composed)))
    assert (body.kind, body.text) == (kind, caption)
    assert body.media.source == MediaSource(path="/v/1", key=b"k" * 32, enc_sha256=b"e" * 32, sha256=b"s" * 32)
    assert body.media.mime == "x/y"
    assert body.media.waveform == (b"\x01\x64" if kind in ("audio", "voice") else None)
    assert convert.compose(an_order(kind=kind, media=media)) is None


def test_what_is_about_another_message_reads_as_what_it_was():
    about = Quoted(wa_id="A1", from_me=True)
    for kind, text in (("reaction", "👍"), ("reaction", ""), ("edit", "new"), ("delete", None)):
        [body] = facts(Kind.MESSAGE, a_message(e2e.Message.FromString(convert.compose(an_order(kind=kind, text=text, quoted=about)))))
        assert (body.kind, body.text, body.quoted) == (kind, text, about)


def test_places_and_cards_that_are_sent_read_as_what_they_were():
    place = Location(latitude=1.5, longitude=-2.25, name="Shop")
    [body] = facts(Kind.MESSAGE, a_message(e2e.Message.FromString(convert.compose(an_order(kind="location", location=place)))))
    assert body.location == place
    cards = (ContactCard(name="Bob; the, builder", phones=("+52 155 123",)), ContactCard(name="Ana"))
    for some in (cards[:1], cards):
        [body] = facts(Kind.MESSAGE, a_message(e2e.Message.FromString(convert.compose(an_order(kind="contact", contacts=some)))))
        assert [(card.name, card.phones) for card in body.contacts] == [(card.name, card.phones) for card in some]
