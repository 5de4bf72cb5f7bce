import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from contracts import envelope, examples, ids, subjects
from contracts.envelope import REGISTRY, UnknownType
from contracts.events.devices import MessageObserved
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address

GOLDEN = Path(__file__).parent / "golden"


def a_message(**changes: object) -> MessageObserved:
    body = MessageObserved(
        device=examples.DEVICE,
        chat=Address("pn", "5215550001111"),
        wa_id="3EB0",
        from_me=False,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        kind="text",
    )
    return msgspec.structs.replace(body, **changes)


def holds(whole: object, part: object) -> bool:
    """Whether everything in *part* stands in *whole* as well; what came later may stand beside it."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and holds(whole[key], value) for key, value in part.items())
    return whole == part


def test_every_declared_body_has_an_example_and_a_golden_body():
    declared = {f"{kind}.v{version}" for kind, version in REGISTRY}
    assert {f"{body.topic.type}.v{body.topic.version}" for body in examples.BODIES} == declared
    assert {path.stem for path in GOLDEN.glob("*.json")} >= declared


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_golden_body_parses_for_ever(path: Path):
    golden = json.loads(path.read_text())
    read = envelope.decode(path.read_bytes())
    again = json.loads(envelope.encode(read))
    assert holds(again, golden), "a field that was published once must still be there and mean the same"


@pytest.mark.parametrize("example", examples.envelopes(), ids=lambda e: e.type)
def test_an_envelope_reads_back_as_it_was_written(example):
    assert envelope.decode(envelope.encode(example)) == example
    subject = subjects.parse(subjects.of(example))
    assert subject.tenant == example.tenant
    assert ".".join(part for part in (subject.service, subject.entity, subject.happened) if part) == example.type


def test_a_public_fact_says_who_did_it_and_not_from_which_address():
    told = {e.data.topic.public: e.data.actor for e in examples.envelopes() if getattr(e.data, "actor", None) is not None}
    assert told[False].address is not None
    assert told[True] == msgspec.structs.replace(told[False], address=None)


def test_a_public_event_is_complete_for_its_readers():
    for body in REGISTRY.values():
        if body.topic.public:
            assert body.topic.webhook, body
            assert body.topic.frame, body
        else:
            assert not body.topic.frame, body


def test_the_same_message_seen_twice_is_one_fact_and_its_placeholder_another():
    once = envelope.wrap(examples.TENANT, a_message(text="a"))
    again = envelope.wrap(examples.TENANT, a_message(text="a", push_name="Luis"))
    placeholder = envelope.wrap(examples.TENANT, a_message(kind="undecryptable"))
    elsewhere = envelope.wrap(examples.TENANT, a_message(device=DeviceId(ids.new())))
    assert once.id == again.id
    assert len({once.id, placeholder.id, elsewhere.id}) == 3


def test_an_unknown_type_is_told_from_a_malformed_body():
    body = json.loads(envelope.encode(examples.envelopes()[0]))
    with pytest.raises(UnknownType):
        envelope.decode(json.dumps(body | {"type": "auth.account.exploded"}).encode())
    with pytest.raises(msgspec.DecodeError):
        envelope.decode(json.dumps(body | {"data": {}}).encode())
    with pytest.raises(msgspec.DecodeError):
        envelope.decode(b"{")


def test_a_reader_ignores_fields_that_it_does_not_know():
    body = json.loads(envelope.encode(examples.envelopes()[0]))
    body["data"]["later"] = {"any": "thing"}
    assert envelope.decode(json.dumps(body).encode()) == examples.envelopes()[0]


def test_a_name_cannot_be_declared_twice():
    with pytest.raises(TypeError):
        envelope.event("devices.message.observed", 1)(MessageObserved)


def test_subjects_hold_uuids_and_names_alone():
    tenant = TenantId(ids.new())
    assert subjects.of(envelope.wrap(tenant, a_message())) == f"evt.devices.message.observed.v1.{tenant}"
    assert subjects.every(MessageObserved) == "evt.devices.message.observed.v1.*"
    assert subjects.feed(tenant) == f"evt.*.*.*.*.{tenant}"


@pytest.mark.parametrize(
    "subject", ["", "evt", "evt.a.b.c.v1.not-a-uuid", "evt.a.b.c.1.01935000-0000-7000-8000-00000000000a", "cmd.a.b.v1"]
)
def test_a_subject_that_is_none_is_refused(subject: str):
    with pytest.raises(ValueError):
        subjects.parse(subject)
