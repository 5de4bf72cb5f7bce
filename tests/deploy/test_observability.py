"""What is looked at and what wakes somebody names metrics that there are, and pages that there are."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "docs"))

from metrics import NAME, declared  # noqa: E402

SERIES = {series for metric in declared() for series in metric.series}
LABELS = {series: set(metric.labels) for metric in declared() for series in metric.series}
BOARDS = sorted((ROOT / "deploy/observability/dashboards").glob("*.json"))
RULES = [rule for group in yaml.safe_load((ROOT / "deploy/observability/alerts.yaml").read_text())["groups"] for rule in group["rules"]]
BY = re.compile(r"by \(([^)]*)\) ?\(.*?(clarin_[a-z0-9_]+)")
OF_THE_SCRAPE = {"instance", "job", "le"}


def expressions(board: Path) -> list[str]:
    return [target["expr"] for panel in json.loads(board.read_text())["panels"] for target in panel["targets"]]


def holds(expression: str) -> None:
    for name in NAME.findall(expression):
        assert name in SERIES, name
    for labels, name in BY.findall(expression):
        assert {label.strip() for label in labels.split(",")} <= LABELS[name] | OF_THE_SCRAPE, expression


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_asks_for_metrics_and_labels_that_there_are(board):
    asked = expressions(board)
    assert len(asked) >= 4
    for expression in asked:
        assert NAME.search(expression)
        holds(expression)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_that_there_are_and_says_what_to_do(rule):
    assert NAME.search(rule["expr"])
    holds(rule["expr"])
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]
    page = rule["annotations"]["runbook_url"].rpartition("/operate/runbooks/")[2].strip("/")
    assert (ROOT / "docs/operate/runbooks" / f"{page}.md").exists()


def test_kubernetes_has_the_same_alerts():
    manifest = yaml.safe_load((ROOT / "deploy/k8s/components/monitoring/alerts.yaml").read_text())
    assert [rule for group in manifest["spec"]["groups"] for rule in group["rules"]] == RULES


def test_prometheus_scrapes_every_process_of_the_containers():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {name for name, service in compose.items() if "CLARIN_ENV" in service.get("environment", {}) and "network_mode" not in service}
    scraped = yaml.safe_load((ROOT / "deploy/observability/prometheus.yaml").read_text())["scrape_configs"][0]["dns_sd_configs"][0]["names"]
    assert ours <= set(scraped) <= set(compose)
