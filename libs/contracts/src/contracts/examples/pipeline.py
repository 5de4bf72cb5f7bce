"""What the pipeline tells."""

from datetime import date

import msgspec

from contracts import ids
from contracts.envelope import Body
from contracts.events import pipeline
from contracts.examples.things import ACTOR, AT, CHAT_ID, CONTACT_ID, DEVICE_ID, LEAD, PIPELINE, RULE, STAGE, TAG_ID, TASK, USER_ID
from contracts.leads import Lead, Stage

LEAD_ID = ids.public(ids.LEAD, LEAD)
PIPELINE_ID = ids.public(ids.PIPELINE, PIPELINE)
STAGE_ID = ids.public(ids.STAGE, STAGE)
RULE_ID = ids.public(ids.RULE, RULE)
TASK_ID = ids.public(ids.TASK, TASK)

A_LEAD = Lead(
    id=LEAD_ID,
    pipeline_id=PIPELINE_ID,
    stage_id=STAGE_ID,
    title="Sillas para la terraza",
    status="open",
    value=1_250_000,
    currency="MXN",
    version=3,
    rank="a0",
    at=AT,
    created_at=AT,
    stage_since=AT,
    contact_id=CONTACT_ID,
    device_id=DEVICE_ID,
    chat_ids=(CHAT_ID,),
    owner_id=USER_ID,
    source="chat",
    tags=(TAG_ID,),
    expected_close=date(2026, 12, 15),
)
_LEAD = {field: getattr(A_LEAD, field) for field in A_LEAD.__struct_fields__}

BODIES: tuple[Body, ...] = (
    pipeline.LeadCreated(**_LEAD, way="rule", rules=(RULE_ID,)),
    pipeline.LeadChanged(**_LEAD, changed=("title", "value"), actor=ACTOR),
    pipeline.LeadMoved(**_LEAD, from_stage_id=STAGE_ID, actor=ACTOR),
    pipeline.LeadDeleted(id=LEAD_ID, pipeline_id=PIPELINE_ID, stage_id=STAGE_ID, actor=ACTOR),
    pipeline.LeadNotified(
        lead=msgspec.structs.replace(A_LEAD, version=4), rule_id=RULE_ID, rule="Avisar al almacén", note="Preparar pedido"
    ),
    pipeline.PipelineChanged(
        id=PIPELINE_ID,
        name="Ventas",
        currency="MXN",
        default=True,
        stages=(Stage(id=STAGE_ID, name="Nuevo", kind="open", color="#228be6", probability=10, rotting_days=7),),
        revision=1,
        actor=ACTOR,
    ),
    pipeline.PipelineDeleted(id=PIPELINE_ID, actor=ACTOR),
    pipeline.TaskChanged(id=TASK_ID, lead_id=LEAD_ID, title="Llamar", created_at=AT, assignee_id=USER_ID, due_at=AT, remind_at=AT),
    pipeline.TaskDeleted(id=TASK_ID, lead_id=LEAD_ID),
    pipeline.TaskDue(
        id=TASK_ID, lead_id=LEAD_ID, title="Llamar", created_at=AT, due_at=AT, remind_at=AT, lead_title="Sillas para la terraza"
    ),
)
