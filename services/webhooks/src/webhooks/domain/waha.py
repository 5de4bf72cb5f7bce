"""The same events in the shape of WAHA's webhooks, so that a flow that was made for it goes on working. Pure.

As its documentation has it: ``{"id", "timestamp", "session", "me", "engine", "event", "payload", "environment"}``. A number is a
session, named as it is called here. A chat with a person is ``<phone>@c.us``; where WhatsApp has not told the phone, and in a group,
it is the chat's id here, which an answer can be sent to as well. The ids and everything else of ours stand in ``payload._data``.
"""

from datetime import datetime
from typing import Any

import msgspec

from webhooks.domain.bodies import fitted

_ENVIRONMENT = {"version": "2025.1.1", "engine": "GOWS", "tier": "PLUS", "browser": None}
_STATUS = {
    "connected": "WORKING",
    "pairing": "SCAN_QR_CODE",
    "connecting": "STARTING",
    "new": "STOPPED",
    "disconnected": "STOPPED",
    "logged_out": "STOPPED",
    "banned": "FAILED",
    "replaced": "FAILED",
    "failed": "FAILED",
}
_ACK = {"failed": -1, "unknown": -1, "queued": 0, "sending": 0, "sent": 1, "delivered": 2, "read": 3, "played": 4}
_ACK_NAME = {-1: "ERROR", 0: "PENDING", 1: "SERVER", 2: "DEVICE", 3: "READ", 4: "PLAYED"}


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery in this shape has to know besides the event.

    Attributes:
        session: What the number is called.
        me: The number's own phone.
        phone: The phone of the chat's other side.
    """

    session: str = "default"
    me: str | None = None
    phone: str | None = None


def body(id: str, type: str, at: datetime, data: bytes, named: Named) -> bytes:
    """Write the body of a delivery."""
    ours: dict[str, Any] = msgspec.json.decode(data)
    event, payload = _translated(type, ours, named)
    whole = {
        "id": id,
        "timestamp": int(at.timestamp() * 1000),
        "session": named.session,
        "metadata": {},
        "me": {"id": f"{named.me}@c.us", "pushName": named.session} if named.me else None,
        "engine": "GOWS",
        "event": event,
        "payload": payload,
        "environment": _ENVIRONMENT,
    }
    return fitted(whole, "payload")


def _translated(type: str, data: dict[str, Any], named: Named) -> tuple[str, dict[str, Any]]:
    match type:
        case "message.received" | "message.sent" | "message.queued" | "message.replaced":
            incoming = type in ("message.received", "message.replaced") and not data["from_me"]
            return "message" if incoming else "message.any", _message(data, named)
        case "message.ack" | "message.failed":
            ack = _ACK.get(data["status"], 0)
            chat = _chat(data["chat_id"], named)
            return "message.ack", {
                "id": f"true_{chat}_{data['id']}",
                "from": chat,
                "participant": None,
                "fromMe": True,
                "ack": ack,
                "ackName": _ACK_NAME[ack],
                "_data": data,
            }
        case "device.status":
            status = _STATUS.get(data["state"], "FAILED")
            return "session.status", {
                "name": data["name"],
                "status": status,
                "statuses": [{"status": status, "timestamp": int(_time(data["at"]).timestamp() * 1000)}],
                "_data": data,
            }
    return type, data


def _message(data: dict[str, Any], named: Named) -> dict[str, Any]:
    chat, mine = _chat(data["chat_id"], named), data["from_me"]
    me = f"{named.me}@c.us" if named.me else None
    ack = 2 if data["status"] == "received" else _ACK.get(data["status"], 0)
    media = data.get("media")
    return {
        "id": f"{'true' if mine else 'false'}_{chat}_{data['id']}",
        "timestamp": int(_time(data["at"]).timestamp()),
        "from": me if mine and me else chat,
        "fromMe": mine,
        "source": "api" if mine and data.get("author_id") else "app",
        "to": chat if mine else me,
        "participant": None,
        "body": data.get("text") or "",
        "hasMedia": media is not None,
        "media": media and {"url": media.get("url"), "mimetype": media.get("mime"), "filename": media.get("file_name"), "error": None},
        "ack": ack,
        "ackName": _ACK_NAME[ack],
        "vCards": [],
        "replyTo": {"id": data["quoted_id"]} if data.get("quoted_id") else None,
        "_data": {**data, "notifyName": data.get("sender_name")},
    }


def _chat(id: str, named: Named) -> str:
    return f"{named.phone}@c.us" if named.phone else id


def _time(text: str) -> datetime:
    return msgspec.convert(text, datetime)
