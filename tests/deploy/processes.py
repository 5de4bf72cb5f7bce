"""What runs in containers, with the settings that each process reads."""

from auth.settings import AuthSettings
from bot.settings import BotSettings
from conversations.settings import ConversationsSettings
from device_worker.settings import ApiSettings, WorkerSettings
from gateway.settings import GatewaySettings
from pipeline.settings import PipelineSettings
from realtime.settings import RealtimeSettings
from servicekit.settings import Settings
from webhooks.settings import WebhooksSettings

PROCESSES: dict[str, type[Settings]] = {
    "auth": AuthSettings,
    "devices": ApiSettings,
    "worker": WorkerSettings,
    "conversations": ConversationsSettings,
    "pipeline": PipelineSettings,
    "bot": BotSettings,
    "webhooks": WebhooksSettings,
    "realtime": RealtimeSettings,
    "gateway": GatewaySettings,
}
