"""Write (or with --check: compare) what is generated from the code: the reference of events, the API's description, the bus's users."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import indent

import auth.api
import bot.api
import conversations.api
import dashboards
import device_worker.api
import device_worker.ops
import metrics
import pipeline.api
import webhooks.api
from contracts import access, reference
from fastapi import APIRouter
from gateway import openapi
from servicekit.bus.permissions import MIGRATOR, permissions
from servicekit.health import Health
from servicekit.http import create_app

ROOT = Path(__file__).parents[1]

ROUTERS: dict[str, Sequence[APIRouter]] = {
    "auth": auth.api.ROUTERS,
    "device-worker": (device_worker.api.router, device_worker.api.alias, device_worker.ops.router),
    "conversations": conversations.api.ROUTERS,
    "pipeline": pipeline.api.ROUTERS,
    "bot": bot.api.ROUTERS,
    "webhooks": webhooks.api.ROUTERS,
}


def api() -> str:
    """Describe the public API as the gateway does, from the same routers."""
    documents = {
        name: create_app(title=name, service=Health(), verifier=None, routers=routers).openapi() for name, routers in ROUTERS.items()
    }
    return json.dumps(openapi.merge(documents, version="1"), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def nats() -> str:
    """Configure the bus's server for containers: one user for each service, its password from the environment."""
    users = [
        f"    {{user: {name}, password: $CLARIN_NATS_PASSWORD_{name.upper()}, permissions: {json.dumps(permissions(name))}}}"
        for name in (MIGRATOR, *access.EVERY)
    ]
    return f"""# Generated from servicekit.bus.permissions by `make generate`; do not edit.
port: 4222
http_port: 8222
max_payload: 1MB
jetstream {{
  store_dir: /data
  sync_interval: always
}}
authorization {{
  users: [
{chr(10).join(users)}
  ]
}}
"""


def decisions() -> str:
    """List the decisions by their titles."""
    titles = {path.name: path.read_text().partition("\n")[0].removeprefix("# ") for path in sorted((ROOT / "docs/adr").glob("0*.md"))}
    lines = "\n".join(f"- [{title}]({name})" for name, title in titles.items())
    return f"# Decisions\n\nWhat binds more than one place in the code, and why it was decided so. Listed by `make generate`.\n\n{lines}\n"


def alerts() -> str:
    """Give Prometheus' operator the rules that the containers' Prometheus reads."""
    rules = (ROOT / "deploy/observability/alerts.yaml").read_text()
    head = """# Written from deploy/observability/alerts.yaml by `make generate`; do not edit.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: clarin
spec:
"""
    return head + indent(rules[rules.index("groups:") :], "  ")


PAGES: dict[str, Callable[[], str]] = {
    "docs/events.md": reference.render,
    "docs/adr/index.md": decisions,
    "web/openapi.json": api,
    "docs/operate/metrics.md": metrics.reference,
    "deploy/docker/nats.conf": nats,
    "deploy/k8s/components/monitoring/alerts.yaml": alerts,
    **dashboards.PAGES,
}


def main() -> int:
    """Write every page; with --check change nothing and return 1 where one is stale."""
    written = {name: render() for name, render in PAGES.items()}
    stale = [name for name, text in written.items() if not (ROOT / name).exists() or (ROOT / name).read_text() != text]
    for name in stale:
        if "--check" in sys.argv:
            sys.stderr.write(f"{name} is stale: run `make generate`.\n")
        else:
            (ROOT / name).write_text(written[name])
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
