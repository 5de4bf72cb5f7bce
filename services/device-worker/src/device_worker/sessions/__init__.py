"""The live sessions of this worker's shards: one object a device, and who starts, wakes and stops them."""

from device_worker.sessions.inbound import Inbound
from device_worker.sessions.pause import Pause
from device_worker.sessions.session import Session, Tools
from device_worker.sessions.supervisor import Sessions

__all__ = ["Inbound", "Pause", "Session", "Sessions", "Tools"]
