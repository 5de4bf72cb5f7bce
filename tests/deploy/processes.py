"""What runs in containers, with the settings that each process reads."""

from auth.settings import AuthSettings
from conversations.settings import ConversationsSettings
from device_worker.settings import ApiSettings, WorkerSettings
from gateway.settings import GatewaySettings
from realtime.settings import RealtimeSettings
from servicekit.settings import Settings

PROCESSES: dict[str, type[Settings]] = {
    "auth": AuthSettings,
    "devices": ApiSettings,
    "worker": WorkerSettings,
    "conversations": ConversationsSettings,
    "realtime": RealtimeSettings,
    "gateway": GatewaySettings,
}
