"""What the pipeline tells, after its commit. Public: a frame's data and a webhook's are these bodies as they are.

*rules* are the rules (``rul_…``) that led to the fact, the first one first; none where a person or a program did it. A rule
that stands there already does not run again.
"""

from contracts.envelope import Body, event
from contracts.leads import Lead, Pipeline, Task, Way
from contracts.principal import Actor


@event("pipeline.lead.created", 1, public=True, frame="lead_created", webhook="lead.created")
class LeadCreated(Lead, Body, frozen=True, kw_only=True):
    """A lead is on a board."""

    way: Way = "manual"
    rules: tuple[str, ...] = ()
    actor: Actor | None = None


@event("pipeline.lead.changed", 1, public=True, frame="lead_updated", webhook="lead.updated")
class LeadChanged(Lead, Body, frozen=True, kw_only=True):
    """A lead is like this now, in the same stage.

    Attributes:
        changed: The names of the fields that have another value; ``rank`` alone where it was moved within its stage.
        evened: Its neighbours have new ranks too: whoever sorts by ranks fetches the stage anew.
    """

    changed: tuple[str, ...] = ()
    evened: bool = False
    rules: tuple[str, ...] = ()
    actor: Actor | None = None


@event("pipeline.lead.moved", 1, public=True, frame="lead_moved", webhook="lead.stage_changed")
class LeadMoved(Lead, Body, frozen=True, kw_only=True):
    """A lead is in another stage.

    Attributes:
        from_stage_id: ``stg_…``: the stage that it was in.
        evened: Its neighbours have new ranks too: whoever sorts by ranks fetches the stage anew.
    """

    from_stage_id: str
    evened: bool = False
    way: Way = "manual"
    rules: tuple[str, ...] = ()
    actor: Actor | None = None


@event("pipeline.lead.deleted", 1, public=True, frame="lead_deleted", webhook="lead.deleted")
class LeadDeleted(Body, frozen=True, kw_only=True):
    """A lead is no more."""

    id: str
    pipeline_id: str
    stage_id: str
    actor: Actor | None = None


@event("pipeline.lead.notified", 1, public=True, frame="lead_notified", webhook="lead.automation")
class LeadNotified(Body, frozen=True, kw_only=True):
    """A rule says that something has happened to a lead.

    Attributes:
        rule_id: ``rul_…``
        note: What the rule was told to say.
    """

    lead: Lead
    rule_id: str
    rule: str
    note: str | None = None


@event("pipeline.pipeline.changed", 1, public=True, frame="pipeline_changed", webhook="pipeline.changed")
class PipelineChanged(Pipeline, Body, frozen=True, kw_only=True):
    """A pipeline is new, or it or one of its stages is different now: this is all of it."""

    actor: Actor | None = None


@event("pipeline.pipeline.deleted", 1, public=True, frame="pipeline_deleted", webhook="pipeline.deleted")
class PipelineDeleted(Body, frozen=True, kw_only=True):
    """A pipeline is no more; its leads are elsewhere."""

    id: str
    actor: Actor | None = None


@event("pipeline.task.changed", 1, public=True, frame="task_changed", webhook="task.changed")
class TaskChanged(Task, Body, frozen=True, kw_only=True):
    """A task is new, different, or done."""


@event("pipeline.task.deleted", 1, public=True, frame="task_deleted", webhook="task.deleted")
class TaskDeleted(Body, frozen=True, kw_only=True):
    """A task is no more."""

    id: str
    lead_id: str


@event("pipeline.task.due", 1, public=True, frame="task_due", webhook="task.due")
class TaskDue(Task, Body, frozen=True, kw_only=True):
    """It is time to think of a task: the hour of its reminder has come.

    Attributes:
        lead_title: What the lead is called.
    """

    lead_title: str
