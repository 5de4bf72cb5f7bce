"""The four fields of protobuf that Signal's messages use, without a schema: Signal's own classes are not part of neonize's."""

from __future__ import annotations


class Malformed(ValueError):
    """Bytes that are not what they should be."""


def pack(*fields: tuple[int, int | bytes | None]) -> bytes:
    """Numbers as varints, bytes with their length; a field that is None is left out."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            _varint(out, number << 3)
            _varint(out, value)
        elif value is not None:
            _varint(out, number << 3 | 2)
            _varint(out, len(value))
            out += value
    return bytes(out)


def numbers_and_bytes(data: bytes) -> tuple[dict[int, int], dict[int, bytes]]:
    """The varint fields and the bytes fields, the last of each number.  Raises: Malformed."""
    numbers: dict[int, int] = {}
    blobs: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        key, at = _read(data, at)
        if key & 7 == 0:
            numbers[key >> 3], at = _read(data, at)
        elif key & 7 == 2:
            size, at = _read(data, at)
            if at + size > len(data):
                raise Malformed("A field runs past the end.")
            blobs[key >> 3] = data[at : at + size]
            at += size
        else:
            raise Malformed(f"Unexpected wire type {key & 7}.")
    return numbers, blobs


def _varint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _read(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
    raise Malformed("A number runs past the end.")
