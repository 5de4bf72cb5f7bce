"""What is sent: ``{"type", "timestamp", "data"}``, always smaller than 20 kB. Pure."""

from datetime import UTC, datetime
from typing import Any

import msgspec

LARGEST = 20_000
#: Stands where a text was cut, which the whole body says with ``"truncated": true`` in its data.
MARK = "…"

_encoder = msgspec.json.Encoder()


def timestamp(at: datetime) -> str:
    """Write a time as RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(type: str, at: datetime, data: bytes) -> bytes:
    """Write the body of a delivery; *data* is JSON as the event has it."""
    body = b'{"type":%b,"timestamp":%b,"data":%b}' % (_encoder.encode(type), _encoder.encode(timestamp(at)), data)
    return body if len(body) < LARGEST else fitted({"type": type, "timestamp": timestamp(at), "data": msgspec.json.decode(data)}, "data")


def fitted(value: dict[str, Any], inner: str) -> bytes:
    """Write *value* smaller than 20 kB: its longest texts are cut, each with a mark, and ``value[inner]["truncated"]`` says so."""
    body = _encoder.encode(value)
    if len(body) < LARGEST:
        return body
    value = msgspec.json.decode(body)
    if isinstance(value[inner], dict):
        value[inner]["truncated"] = True
    body = _encoder.encode(value)
    while len(body) >= LARGEST:
        place = _longest(value)
        if place is None:  # nothing but numbers and short texts, and yet so large
            return _encoder.encode({key: part for key, part in value.items() if key != inner} | {inner: {"truncated": True}})
        holder, key, text = place
        over = len(body) - LARGEST + len(MARK.encode()) + 1
        kept = text.removesuffix(MARK).encode()
        # a character of the text may take up to six bytes of JSON, never less than one
        size = max(len(kept) // 2, len(kept) - over)
        holder[key] = kept[: min(size, len(kept) - 1)].decode(errors="ignore") + MARK
        body = _encoder.encode(value)
    return body


def _longest(value: Any) -> tuple[Any, Any, str] | None:
    """Find the longest text that is worth cutting: what holds it, under which key, and the text."""
    found: tuple[Any, Any, str] | None = None
    parts = [value]
    while parts:
        part = parts.pop()
        for key, inner in part.items() if isinstance(part, dict) else enumerate(part):
            if isinstance(inner, dict | list):
                parts.append(inner)
            elif isinstance(inner, str) and len(inner) > 40 and (found is None or len(inner) > len(found[2])):
                found = part, key, inner
    return found
