"""The reference of everything on the bus, as Markdown: ``docs/events.md`` is this text."""

import inspect
import json

import msgspec

from contracts import ephemeral, examples, subjects
from contracts.envelope import REGISTRY, Body

_HEAD = """# Events

Generated from `libs/contracts` by `make docs`; do not edit.

A fact travels in the stream `EVENTS` on `evt.<service>.<entity>.<happened>.v<N>.<tenant>`, an order in `COMMANDS` on
`cmd.<service>.<order>.v<N>.<tenant>`. The envelope carries `id`, `type`, `version`, `tenant`, `occurred_at`, `audience`,
`trace` and `data`; below stand the data. A *public* event has the shapes and ids of the HTTP API: its data is the frame
that a socket gets and the body that a webhook delivers. An *internal* one concerns the services alone.
"""


def render() -> str:
    """Write the whole reference."""
    bodies = {(type(body)): body for body in examples.BODIES}
    events = sorted(
        (body for body in REGISTRY.values() if body.topic.kind == "evt"), key=lambda body: (body.topic.type, body.topic.version)
    )
    orders = sorted(
        (body for body in REGISTRY.values() if body.topic.kind == "cmd"), key=lambda body: (body.topic.type, body.topic.version)
    )
    lines = [_HEAD, "| event | version | who sees it | frame | webhook |", "|---|---|---|---|---|"]
    for body in events:
        topic = body.topic
        lines.append(
            f"| [`{topic.type}`](#{_anchor(body)}) | {topic.version} | {'public' if topic.public else 'internal'} "
            f"| {_code(topic.frame)} | {_code(topic.webhook)} |"
        )
    lines += ["", "| order | version | who gets it |", "|---|---|---|"]
    lines += [f"| [`{body.topic.type}`](#{_anchor(body)}) | {body.topic.version} | {body.topic.service} |" for body in orders]
    lines += ["", "| ephemeral | frame | what it says |", "|---|---|---|"]
    lines += [
        f"| `{subjects.ephemeral(kind.service, kind.what, '<tenant>')}` | {_code(kind.frame)} | {_first(kind)} |"
        for kind in ephemeral.EVERY
    ]
    for body in (*events, *orders):
        lines += ["", f"## {body.topic.type} v{body.topic.version}", "", inspect.cleandoc(body.__doc__ or "").replace("``", "`"), ""]
        lines += ["```json", _pretty(bodies[body]), "```"]
    return "\n".join(lines) + "\n"


def _anchor(body: type[Body]) -> str:
    return f"{body.topic.type}-v{body.topic.version}".replace(".", "").lower()


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


def _first(kind: type) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


def _pretty(body: Body) -> str:
    return json.dumps(msgspec.to_builtins(body), indent=2, ensure_ascii=False)
