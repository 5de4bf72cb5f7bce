"""The token tables of WhatsApp's binary XML, read out of the installed neonize shared object.

No table is copied into this repository, so the tables always match the library that talks to us.  Go keeps a `[]string` as pairs
(pointer, length) in writable data; in a position-independent object the pointers are relative relocations, which is what is read here.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sim.proto import library_folder

SINGLE = 236
"""How many one-byte tokens dictionary version 3 has."""

_R_X86_64_RELATIVE, _R_AARCH64_RELATIVE = 8, 1027
_DOUBLE_STARTS = (("read-self", "active"), ("reject", "dirty"), ("64", "ptt_playback_speed_enabled"), ("1724", "profile_picture"))


class TokensMissing(Exception):
    """The shared object does not hold the token tables where they are expected."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Both tables with their reverse look-ups.  Empty tables make an encoding that any version can read."""

    single: tuple[str, ...] = ()
    double: tuple[tuple[str, ...], ...] = ()
    single_index: dict[str, int] = field(init=False, compare=False)
    double_index: dict[str, tuple[int, int]] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "single_index", {token: i for i, token in enumerate(self.single) if token})
        object.__setattr__(self, "double_index", {token: (d, i) for d, table in enumerate(self.double) for i, token in enumerate(table)})


def shared_object() -> Path:
    """The one shared object of the installed neonize.  Raises: TokensMissing."""
    found = sorted(Path(library_folder()).glob("neonize-*.so"))
    if len(found) != 1:
        raise TokensMissing(f"Expected one neonize shared object, found {len(found)}.")
    return found[0]


def load(cache: Path | None = None) -> Tokens:
    """The tables of the installed library; kept as JSON in the folder *cache*, by the object's size and time: reading takes a second."""
    source = shared_object()
    stat = source.stat()
    kept = cache / f"tokens-{stat.st_size:x}-{stat.st_mtime_ns:x}.json" if cache else None
    if kept and kept.exists():
        single, double = json.loads(kept.read_text())
        return Tokens(tuple(single), tuple(map(tuple, double)))
    tokens = extract(source.read_bytes())
    if kept:
        part = kept.with_suffix(".part")
        part.write_text(json.dumps([tokens.single, tokens.double]))
        part.replace(kept)
    return tokens


def extract(elf: bytes) -> Tokens:
    """Read the tables out of an ELF64 little-endian shared object.  Raises: TokensMissing."""
    text_at = _reader(elf)
    relocated, string = text_at
    single_start = _find(relocated, string, "xmlstreamstart", "xmlstreamend") - 16
    single = _run(string, single_start, SINGLE)
    double = [_run(string, _find(relocated, string, *start), 256) for start in _DOUBLE_STARTS]
    if len(single) != SINGLE or any(len(table) != 256 for table in double):
        raise TokensMissing(f"The token tables are cut short: {len(single)} and {[len(table) for table in double]}.")
    return Tokens(tuple(single), tuple(map(tuple, double)))


def _reader(elf: bytes) -> tuple[dict[int, int], Callable[[int], str | None]]:
    """The relocations (address → target) and a function that reads the Go string whose header lies at an address."""
    (table,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, table + i * size) for i in range(count)]
    name_base = sections[names][4]
    by_name = {elf[name_base + s[0] : elf.index(b"\0", name_base + s[0])].decode(): s for s in sections}
    loaded = [(s[3], s[4], s[5]) for s in sections if s[3] and s[1] != 8]
    if ".rela.dyn" not in by_name:
        raise TokensMissing("The shared object has no relocation table.")
    rela = by_name[".rela.dyn"]
    relocated = {
        place: target
        for place, info, target in struct.iter_unpack("<QQq", elf[rela[4] : rela[4] + rela[5]])
        if info & 0xFFFFFFFF in (_R_X86_64_RELATIVE, _R_AARCH64_RELATIVE)
    }

    def offset(address: int) -> int | None:
        return next((o + address - a for a, o, n in loaded if a <= address < a + n), None)

    def string(address: int) -> str | None:
        here = offset(address)
        if here is None:
            return None
        (length,) = struct.unpack_from("<Q", elf, here + 8)
        target = relocated.get(address)
        if target is None:
            return "" if length == 0 else None
        start = offset(target) if length <= 200 else None
        return None if start is None else elf[start : start + length].decode("utf-8", "replace")

    return relocated, string


def _find(relocated: dict[int, int], string: Callable[[int], str | None], first: str, second: str) -> int:
    for address in relocated:
        if string(address) == first and string(address + 16) == second:
            return address
    raise TokensMissing(f"No table starts with {first!r}, {second!r}.")


def _run(string: Callable[[int], str | None], start: int, count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count and (text := string(start + 16 * len(found))) is not None:
        found.append(text)
    return found
