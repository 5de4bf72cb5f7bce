"""What this service is about, without any I/O: devices and their standing, how fast a number may send, its settings."""

from device_worker.domain import governor, reasons
from device_worker.domain.devices import (
    AlreadyLinked,
    Device,
    DeviceMissing,
    LoggingOut,
    PairingCodeNotAvailable,
    QrNotAvailable,
    Wanted,
)
from device_worker.domain.reasons import *  # noqa: F403  (`domain.QR_EXPIRED` reads better than where it is kept)
from device_worker.domain.sending import PauseInvalid, SendMissing, SendStarted, SettingsInvalid
from device_worker.domain.settings import DeviceSettings, Pace, ProxyInvalid, Quiet, Receive, WarmUpStage, proxy_label

__all__ = [
    "AlreadyLinked",
    "Device",
    "DeviceMissing",
    "DeviceSettings",
    "LoggingOut",
    "Pace",
    "PairingCodeNotAvailable",
    "PauseInvalid",
    "ProxyInvalid",
    "QrNotAvailable",
    "Quiet",
    "Receive",
    "SendMissing",
    "SendStarted",
    "SettingsInvalid",
    "Wanted",
    "WarmUpStage",
    "governor",
    "proxy_label",
    "reasons",
]
