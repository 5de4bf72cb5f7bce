"""The public routes under ``/api/leads``, ``/api/pipeline``, ``/api/pipelines``, ``/api/tasks`` and ``/api/automations``."""

from pipeline.api import automations, leads, pipeline, pipelines, reports, tasks

ROUTERS = (leads.router, pipeline.router, pipelines.router, reports.router, tasks.router, automations.router)
