"""The live sessions of this worker's shards: one object a device, and who starts, wakes and stops them."""

from device_worker.sessions.acquaintances import Acquaintances
from device_worker.sessions.activity import Activity
from device_worker.sessions.attention import Attention
from device_worker.sessions.filters import Filters
from device_worker.sessions.groups import Groups
from device_worker.sessions.inbound import Inbound
from device_worker.sessions.load import SessionLoad
from device_worker.sessions.pause import Pause
from device_worker.sessions.session import Session
from device_worker.sessions.supervisor import Sessions
from device_worker.sessions.tools import Tools

__all__ = ["Acquaintances", "Activity", "Attention", "Filters", "Groups", "Inbound", "Pause", "Session", "SessionLoad", "Sessions", "Tools"]
