"""The durable ``pipeline-automations``: what follows by rule when a lead comes into a stage."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contracts import ids, subjects
from contracts.envelope import Envelope
from contracts.events.pipeline import LeadCreated, LeadMoved
from contracts.ids import LeadId
from servicekit import outbox
from servicekit.bus import Consumer
from servicekit.db import Database, raw

from pipeline import store
from pipeline.consumers import runs
from pipeline.domain import rules
from pipeline.domain.rules import Rule
from pipeline.store import rules as stored

DURABLE = "pipeline-automations"
BODIES = (LeadCreated, LeadMoved)


def consumer(db: Database) -> Consumer:
    """Describe the durable."""
    return Consumer(durable=DURABLE, stream=subjects.EVENTS, bodies=BODIES, handle=handler(db), batch=100)


def handler(db: Database) -> Callable[[Sequence[Envelope[Any]]], Awaitable[None]]:
    """Give the handler of a batch; each run is a transaction, and a repeat of one changes nothing."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        known: dict[Any, list[Rule]] = {}
        for tenant in {one.tenant for one in envelopes}:
            async with db.transaction(tenant) as tx:
                known[tenant] = await stored.every(await raw(tx), tenant, enabled=True)
        for envelope in envelopes:
            fact = envelope.data
            if fact.way == "merge":
                continue
            pipeline, stage = ids.parse(ids.PIPELINE, fact.pipeline_id), ids.parse(ids.STAGE, fact.stage_id)
            cause = runs.Cause(
                tenant=envelope.tenant,
                id=envelope.id,
                at=envelope.occurred_at,
                chain=tuple(ids.parse(ids.RULE, rule) for rule in fact.rules),
            )
            for rule in known[envelope.tenant]:
                if rules.enters(rule.trigger, pipeline=pipeline, stage=stage):
                    await _run(db, cause, rule, LeadId(ids.parse(ids.LEAD, fact.id)), stage)

    return handle


async def _run(db: Database, cause: runs.Cause, rule: Rule, lead: LeadId, stage: Any) -> None:
    async def once() -> None:
        async with db.transaction(cause.tenant) as tx:
            await outbox.add(tx, *await runs.for_lead(await raw(tx), cause, rule, lead, stage))

    await store.persistently(once)
