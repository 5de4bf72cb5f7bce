"""The dashboards of Grafana, as code: five pages, each a few questions that somebody asks who runs Clarin."""

from collections.abc import Callable
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")


@dataclass(frozen=True, slots=True)
class Ask:
    """One panel: what is asked, the expressions that answer by the name of their lines, and the unit."""

    question: str
    lines: dict[str, str]
    unit: str = "short"


def _rate(name: str, by: str = "", where: str = "") -> str:
    return f"sum{f' by ({by})' if by else ''} (rate({name}{where}[$__rate_interval]))"


def _share(name: str, quantile: float, by: str = "") -> str:
    return f"histogram_quantile({quantile}, sum by ({f'le, {by}' if by else 'le'}) (rate({name}_bucket[$__rate_interval])))"


def _spread(name: str) -> dict[str, str]:
    return {"p50": _share(name, 0.5), "p95": _share(name, 0.95), "p99": _share(name, 0.99)}


BOARDS: dict[str, tuple[str, list[Ask]]] = {
    "fleet": (
        "Clarin: fleet",
        [
            Ask("Numbers by state", {"{{state}}": "sum by (state) (clarin_devices_sessions)"}),
            Ask("Shards without an owner", {"unowned": "max(clarin_devices_shards_unowned)"}),
            Ask("Sessions and room", {"sessions": "sum(clarin_devices_sessions)", "capacity": "sum(clarin_devices_capacity_sessions)"}),
            Ask("Shards of each worker", {"{{instance}}": "clarin_devices_shards_held"}),
            Ask("Time to connect", _spread("clarin_devices_connect_seconds"), "s"),
            Ask(
                "Waiting to connect", {"waiting": "sum(clarin_devices_connects_waiting)", "breaker": "max(clarin_devices_connects_breaker)"}
            ),
            Ask("Memory", {"{{instance}} {{process}}": "clarin_devices_rss_bytes"}, "bytes"),
            Ask("Threads", {"{{instance}} {{process}}": "clarin_devices_threads"}),
            Ask("Descriptors", {"{{instance}} {{process}}": "clarin_devices_files"}),
            Ask("Connections to databases", {"{{instance}} {{process}}": "clarin_devices_database_connections"}),
            Ask("Moments at which something may have been lost", {"{{cause}}": _rate("clarin_devices_loss_windows_total", "cause")}),
            Ask("Over a limit, about to be started anew", {"{{instance}}": "clarin_devices_too_large"}),
        ],
    ),
    "messages": (
        "Clarin: messages",
        [
            Ask("Raw events from WhatsApp", {"{{kind}}": _rate("clarin_devices_observed_events_total", "kind")}, "ops"),
            Ask("Stored", {"{{outcome}}": _rate("clarin_conversations_messages_total", "outcome")}, "ops"),
            Ask("Sends that ended", {"{{outcome}}": _rate("clarin_devices_sends_total", "outcome")}, "ops"),
            Ask("Sends that wait", {"waiting": "sum(clarin_devices_sends_waiting)"}),
            Ask("Oldest send that waits", {"oldest": "max(clarin_devices_sends_oldest_seconds)"}, "s"),
            Ask("Why chats wait", {"{{reason}}": _rate("clarin_devices_sends_held_total", "reason")}, "ops"),
            Ask("Ticks", {"moved": _rate("clarin_conversations_statuses_total")}, "ops"),
            Ask("Files from WhatsApp", {"{{outcome}}": _rate("clarin_devices_media_fetched_total", "outcome")}, "ops"),
            Ask("Journal that the bus does not have yet", {"{{instance}}": "clarin_devices_journal_bytes"}, "bytes"),
            Ask("To the sockets", _spread("clarin_realtime_delay_seconds"), "s"),
        ],
    ),
    "api": (
        "Clarin: API",
        [
            Ask("Requests by service", {"{{service}}": _rate("clarin_gateway_requests_total", "service")}, "reqps"),
            Ask("Answers by status", {"{{status}}": _rate("clarin_gateway_requests_total", "status")}, "reqps"),
            Ask(
                "Failures",
                {"{{service}} {{status}}": _rate("clarin_gateway_requests_total", "service, status", '{status=~"5.."}')},
                "reqps",
            ),
            Ask("Time by service, p95", {"{{service}}": _share("clarin_gateway_request_seconds", 0.95, "service")}, "s"),
            Ask("Public connections", {"{{instance}}": "clarin_gateway_connections"}),
            Ask("Sockets", {"{{instance}}": "clarin_realtime_sockets"}),
            Ask("How sockets began", {"{{how}}": _rate("clarin_realtime_begun_sockets_total", "how")}, "ops"),
            Ask("Why sockets closed", {"{{code}}": _rate("clarin_realtime_closed_sockets_total", "code")}, "ops"),
            Ask("Limits counted together", {"{{instance}}": "clarin_gateway_limits_shared"}),
        ],
    ),
    "webhooks": (
        "Clarin: webhooks",
        [
            Ask("Attempts", {"{{outcome}}": _rate("clarin_webhooks_attempts_total", "outcome")}, "ops"),
            Ask("From the event to the first attempt", _spread("clarin_webhooks_first_attempt_seconds"), "s"),
            Ask("Endpoints that are being sent to", {"{{instance}}": "clarin_webhooks_lanes"}),
            Ask("Behind the stream", {"{{durable}}": 'max by (durable) (clarin_bus_lag_messages{durable=~"webhooks.*"})'}),
        ],
    ),
    "queues": (
        "Clarin: queues",
        [
            Ask("Behind the stream", {"{{durable}}": "max by (durable) (clarin_bus_lag_messages)"}),
            Ask("Time of a batch, p95", {"{{durable}}": _share("clarin_bus_handler_seconds", 0.95, "durable")}, "s"),
            Ask("Handled", {"{{durable}}": _rate("clarin_bus_consumed_messages_total", "durable")}, "ops"),
            Ask("Tried again", {"{{durable}}": _rate("clarin_bus_retried_messages_total", "durable")}, "ops"),
            Ask("Stood still, because what they need is away", {"{{durable}}": _rate("clarin_bus_away_pauses_total", "durable")}, "ops"),
            Ask("Dead letters", {"{{durable}} {{code}}": _rate("clarin_bus_dead_letters_total", "durable, code")}, "ops"),
            Ask("Oldest fact that is not published", {"{{schema}}": "max by (schema) (clarin_outbox_age_seconds)"}, "s"),
            Ask("Facts that are not published", {"{{schema}}": "max by (schema) (clarin_outbox_rows)"}),
            Ask("Published", {"{{type}}": _rate("clarin_bus_published_messages_total", "type")}, "ops"),
            Ask("Rules that ran", {"{{outcome}}": _rate("clarin_pipeline_rule_runs_total", "outcome")}, "ops"),
        ],
    ),
}


def _panel(ask: Ask) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(ask.question)
        .datasource(PROMETHEUS)
        .unit(ask.unit)
        .min(0)
        .fill_opacity(8)
        .span(8)
        .height(7)
        .legend(
            common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True).calcs([])
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    for place, (legend, expression) in enumerate(ask.lines.items()):
        panel = panel.with_target(prometheus.Dataquery().ref_id(chr(ord("A") + place)).expr(expression).legend_format(legend))
    return panel


def render(name: str) -> str:
    """Write one dashboard as Grafana reads it."""
    title, questions = BOARDS[name]
    board = (
        dashboard.Dashboard(title)
        .uid(f"clarin-{name}")
        .tags(["clarin"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .readonly()
    )
    for ask in questions:
        board = board.with_panel(_panel(ask))
    return JSONEncoder(sort_keys=True, indent=1).encode(board.build()) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    f"deploy/observability/dashboards/{name}.json": lambda name=name: render(name)
    for name in BOARDS  # type: ignore[misc]
}
