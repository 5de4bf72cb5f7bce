"""Requests for leads, boards, pipelines, tasks, rules and reports."""

from typing import Any

from contracts.principal import Role

from .valid import Valid, key, new_name, plain, valid
from .world import World

plain("leadsListLeads", query={"q": ""})
plain("pipelineShow")
plain("pipelinesListPipelines")
plain("tasksListTasks")
plain("automationsListRules", role=Role.ADMIN)
plain("automationsListRuns", role=Role.ADMIN)


async def new_lead(world: World, **fields: Any) -> str:
    return await world.new("/api/leads", title=new_name(world), **fields)


async def board(world: World) -> dict[str, Any]:
    """The default pipeline."""
    pipeline: dict[str, Any] = (await world.owner.get("/api/pipelines"))["items"][0]
    return pipeline


async def new_stage(world: World) -> dict[str, str]:
    pipeline = await board(world)
    return {"id": pipeline["id"], "stage": await world.new(f"/api/pipelines/{pipeline['id']}/stages", name=new_name(world))}


def a_rule(world: World) -> dict[str, Any]:
    actions = [{"do": "send", "text": f"Hola {world.mark}"}, {"do": "notify"}]
    return {"name": new_name(world), "enabled": False, "trigger": {"on": "stage_entered"}, "actions": actions}


@valid("leadsEnter")
@valid("pipelineMake")
async def _(world: World) -> Valid:
    return Valid(body={"title": new_name(world)}, headers=key())


@valid("leadsRead")
@valid("leadsDelete")
@valid("leadsHistory")
@valid("leadsListNotes")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await new_lead(world, chat_id=world.chat["id"])})


@valid("leadsChange")
@valid("leadsPatch")
@valid("pipelineChange")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await new_lead(world)}, body={"title": new_name(world)})


@valid("pipelineChangeById")
async def _(world: World) -> Valid:
    return Valid(body={"id": await new_lead(world), "title": new_name(world)})


@valid("leadsMove")
async def _(world: World) -> Valid:
    stage = (await board(world))["stages"][1]["id"]
    return Valid(ids={"id": await new_lead(world)}, body={"stage_id": stage, "version": 1})


@valid("leadsAddNote")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await new_lead(world)}, body={"text": f"Nota {world.mark}"}, headers=key())


@valid("leadsDeleteNote")
async def _(world: World) -> Valid:
    lead = await new_lead(world)
    return Valid(ids={"id": lead, "note": await world.new(f"/api/leads/{lead}/notes", text=f"Nota {world.mark}")})


@valid("pipelinesMake", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(body={"name": new_name(world)}, headers=key())


@valid("pipelinesRead")
async def _(world: World) -> Valid:
    return Valid(ids={"id": (await board(world))["id"]})


@valid("pipelinesChange", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": (await board(world))["id"]}, body={"name": new_name(world)})


@valid("pipelinesDelete", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/pipelines", name=new_name(world))})


@valid("pipelinesAddStage", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/pipelines", name=new_name(world))}, body={"name": new_name(world)}, headers=key())


@valid("pipelinesChangeStage", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids=await new_stage(world), body={"name": new_name(world)})


@valid("pipelinesDeleteStage", role=Role.ADMIN)
@valid("pipelinesListColumn")
async def _(world: World) -> Valid:
    return Valid(ids=await new_stage(world))


@valid("reportsConversion", role=Role.ADMIN)
@valid("reportsTime", role=Role.ADMIN)
@valid("reportsForecast", role=Role.ADMIN)
@valid("reportsOutcomes", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": (await board(world))["id"]})


@valid("tasksMake")
async def _(world: World) -> Valid:
    return Valid(body={"lead_id": await new_lead(world), "title": new_name(world)}, headers=key())


@valid("tasksChange")
async def _(world: World) -> Valid:
    task = await world.new("/api/tasks", lead_id=await new_lead(world), title=new_name(world))
    return Valid(ids={"id": task}, body={"done": True})


@valid("tasksDelete")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/tasks", lead_id=await new_lead(world), title=new_name(world))})


@valid("automationsMake", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(body=a_rule(world), headers=key())


@valid("automationsRead", role=Role.ADMIN)
@valid("automationsDelete", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/automations", **a_rule(world))})


@valid("automationsReplace", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/automations", **a_rule(world))}, body=a_rule(world))
