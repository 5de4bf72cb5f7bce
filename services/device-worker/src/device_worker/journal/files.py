"""Segments and records on disk; no asyncio."""

import fcntl
import os
import shutil
import struct
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import UUID, uuid4

_MAGIC = b"clarinj1"
_HEADER = struct.Struct("<8sQ")  # magic, how far it is published (an offset)
_FRAME = struct.Struct("<II")  # length of the body, crc32 of the body
_BODY = struct.Struct("<B16s16sQ")  # kind, tenant, device, milliseconds; then the raw event
_SUFFIX = ".segment"
_FSYNC_EVERY = 0.02
_RETRY_EVERY = 0.25
_WIPE = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """One raw event.

    Attributes:
        kind: The library's number for the kind of event.
        at: When it was appended, milliseconds since 1970.
        end: Where it ends: what `advance` takes, once it is published.
    """

    kind: int
    tenant: UUID
    device: UUID
    at: int
    raw: bytes
    end: tuple[int, int] = (0, 0)


def encode(kind: int, tenant: UUID, device: UUID, at: int, raw: bytes) -> bytes:
    """Write one record with its frame."""
    body = _BODY.pack(kind, tenant.bytes, device.bytes, at) + raw
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def decode(data: bytes, offset: int = 0) -> tuple[Record, int] | None:
    """Read the record at *offset* and where it ends; None when there is none, or it is torn."""
    if offset + _FRAME.size > len(data):
        return None
    length, checksum = _FRAME.unpack_from(data, offset)
    start = offset + _FRAME.size
    if length < _BODY.size or start + length > len(data):
        return None
    body = data[start : start + length]
    if zlib.crc32(body) != checksum:
        return None
    kind, tenant, device, at = _BODY.unpack_from(body)
    return Record(kind, UUID(bytes=tenant), UUID(bytes=device), at, body[_BODY.size :]), start + length


class Segment:
    """One file. *written* is where the next record goes, *published* up to where the bus has it."""

    def __init__(self, path: Path, fd: int, size: int, written: int, published: int) -> None:
        self.path, self.size, self.written, self.published = path, size, written, published
        self.number = int(path.name.removesuffix(_SUFFIX))
        self._fd = fd
        self._wiped = self._next_wipe = _HEADER.size

    @classmethod
    def create(cls, path: Path, size: int) -> Self:
        """Make it, with its space reserved: a full disk shows here and not in the middle of a record."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, size)
            os.pwrite(fd, _HEADER.pack(_MAGIC, _HEADER.size), 0)
        except OSError:
            os.close(fd)
            path.unlink()
            raise
        return cls(path, fd, size, _HEADER.size, _HEADER.size)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open what another process left, up to its last whole record."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        size = os.fstat(fd).st_size
        head = os.pread(fd, _HEADER.size, 0)
        published = _HEADER.size
        if len(head) == _HEADER.size:
            magic, mark = _HEADER.unpack(head)
            if magic == _MAGIC and _HEADER.size <= mark <= size:
                published = mark
        segment = cls(path, fd, size, size, published)
        segment.written = max((record.end[1] for record in segment.read(published, size)), default=published)
        return segment

    @classmethod
    def follow(cls, path: Path) -> Self:
        """Open what another process is writing: what is there is told by the records' checksums."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        size = os.fstat(fd).st_size
        return cls(path, fd, size, size, _HEADER.size)

    def append(self, record: bytes) -> None:
        """Hand the bytes to the operating system: all of them, or it is as if none were."""
        view, offset = memoryview(record), self.written
        while view:
            count = os.pwrite(self._fd, view, offset)
            offset += count
            view = view[count:]
        self.written = offset

    def read(self, start: int, limit: int) -> Iterator[Record]:
        """Give the records from *start* on, of about *limit* bytes and at least one."""
        end = min(self.written, start + limit)
        data = os.pread(self._fd, end - start, start)
        if len(data) >= _FRAME.size:
            first = _FRAME.unpack_from(data)[0] + _FRAME.size
            if len(data) < first <= self.written - start:
                data = os.pread(self._fd, first, start)
        offset = 0
        while (found := decode(data, offset)) is not None:
            record, offset = found
            yield Record(record.kind, record.tenant, record.device, record.at, record.raw, (self.number, start + offset))

    def mark(self, published: int) -> None:
        """Remember that the bus has everything up to there."""
        self.published = published
        os.pwrite(self._fd, _HEADER.pack(_MAGIC, published), 0)

    def left(self) -> list[Record]:
        """Give the records that stand in the file, whether the bus has them or not."""
        for start in self._after_wiped():
            if records := list(self.read(start, self.size)):
                return records
        return list(self.read(self.published, self.size))

    def _after_wiped(self) -> Iterator[int]:
        """Give where the first record that was not overwritten may begin: at most three of its own bytes before its first other one."""
        for offset in range(_HEADER.size, self.published, _WIPE):
            data = os.pread(self._fd, min(_WIPE, self.published - offset), offset)
            if rest := data.lstrip(b"\0"):
                found = offset + len(data) - len(rest)
                yield from range(max(_HEADER.size, found - 3), found + 1)
                return

    def wipe(self) -> int:
        """Nothing of what the bus had at the last call stands in the file any more; tells how many bytes that were.

        They are read again only by a process that follows one which died a moment ago: what was published a moment ago is there.
        """
        start, end = self._wiped, self._next_wipe
        for offset in range(start, end, _WIPE):
            os.pwrite(self._fd, bytes(min(_WIPE, end - offset)), offset)
        self._wiped, self._next_wipe = end, self.published
        return end - start

    def sync(self) -> None:
        """Make the disk have what the operating system has."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


class Journal:
    """What this process appends to. `append` may be called from any thread; who reads it is another process (`Reader`)."""

    def __init__(self, root: Path, *, segment: int = 16 << 20) -> None:
        """Open a fresh folder under *root*, locked while this process lives.

        Args:
            segment: Bytes of one file; a larger record gets a larger file.
        """
        self.folder = root / str(uuid4())
        self.folder.mkdir(parents=True, mode=0o700)
        self._lock_file = _locked(self.folder)
        self._segment_size = segment
        self._lock = threading.Lock()
        self._set_aside: deque[bytes] = deque()
        self._full: deque[Segment] = deque()  # to be synced once more, and closed
        self._dirty = threading.Event()
        self._closing = False
        self.total = 0
        self.trouble: OSError | None = None
        self.on_append: Callable[[], None] = lambda: None
        self._segment = self._create(1, 0)
        self._syncer = threading.Thread(target=self._sync_for_ever, name="journal-fsync", daemon=True)
        self._syncer.start()

    def append(self, kind: int, tenant: UUID, device: UUID, raw: bytes) -> None:
        """Keep one event. Never raises: what the disk refuses waits in memory, `trouble` says so, and sessions are stopped for it.

        `total`, the bytes appended so far, counts it afterwards.
        """
        record = encode(kind, tenant, device, time.time_ns() // 1_000_000, raw)
        with self._lock:
            self._set_aside.append(record)
            self._write_set_aside()
            self.total += len(record)
        if not self._dirty.is_set():
            self._dirty.set()
        self.on_append()

    def retry(self) -> None:
        """Write what waits in memory, if the disk takes it again."""
        with self._lock:
            self._write_set_aside()
        if self.trouble is None:
            self._dirty.set()

    def sync(self) -> None:
        """Make the disk have what was appended so far.  Raises: OSError."""
        while self._full:
            full = self._full.popleft()
            full.sync()
            full.close()
        self._segment.sync()

    def close(self) -> None:
        """Make the disk have it all, and let go of it."""
        self._closing = True
        self._dirty.set()
        self._syncer.join()
        self.sync()
        self._segment.close()
        os.close(self._lock_file)

    def _write_set_aside(self) -> None:
        try:
            while self._set_aside:
                record = self._set_aside[0]
                if self._segment.written + len(record) > self._segment.size:
                    full, self._segment = self._segment, self._create(self._segment.number + 1, len(record))
                    self._full.append(full)
                self._segment.append(record)
                self._set_aside.popleft()
            self.trouble = None
        except OSError as error:
            self.trouble = error

    def _create(self, number: int, at_least: int) -> Segment:
        return Segment.create(self.folder / _name(number), max(self._segment_size, at_least + _HEADER.size))

    def _sync_for_ever(self) -> None:
        while not self._closing:
            self._dirty.wait(_RETRY_EVERY if self.trouble is not None else None)
            self._dirty.clear()
            before = self.trouble
            if before is not None:
                self.retry()
            try:
                self.sync()
            except OSError as error:
                self.trouble = error  # the bytes may never reach the disk; say so while they can still be published
            if self.trouble is not before:
                self.on_append()
            time.sleep(_FSYNC_EVERY)


class Reader:
    """A journal that another process appends to, as its one reader. What was read stays until `advance`."""

    def __init__(self, folder: Path, *, capacity: int) -> None:
        """Read from the beginning of *folder*.

        Args:
            capacity: Bytes; what `fill` is measured against. An append is never refused for it: WhatsApp has
                already been told that the message is here.
        """
        self.folder = folder
        self._capacity = capacity
        self._segment = Segment.follow(folder / _name(1))
        self._appended = self._published = 0
        self._trouble = False

    def told(self, total: int, *, trouble: bool) -> None:
        """The writer has appended *total* bytes so far, and has *trouble* with the disk or none."""
        self._appended, self._trouble = total, trouble

    def read(self, limit: int = 1 << 20) -> list[Record]:
        """Give the oldest unpublished records that the writer has told of, about *limit* bytes, from one file."""
        while (depth := self.depth) > 0:
            # In this order: the writer appends nothing to a file any more once the next one is there.
            following = self.folder / _name(self._segment.number + 1)
            more = following.exists()
            if records := list(self._segment.read(self._segment.published, min(limit, depth))):
                return records
            if not more:
                break  # what the disk refused, and the writer still holds
            done, self._segment = self._segment, Segment.follow(following)
            done.close()
            done.path.unlink(missing_ok=True)
        return []

    def advance(self, end: tuple[int, int]) -> None:
        """The bus has everything up to *end*, a record's own."""
        number, offset = end
        if number != self._segment.number:
            raise ValueError(f"Segment {number} is not the one being read.")
        self._published += offset - self._segment.published
        self._segment.mark(offset)

    def wipe(self) -> int:
        """What the bus had at the last call is overwritten in the file that is being read; tells how many bytes that were."""
        return self._segment.wipe()

    @property
    def depth(self) -> int:
        """Count the bytes that are not published yet."""
        return self._appended - self._published

    @property
    def fill(self) -> float:
        """Tell how much of the capacity is taken, 1.0 being all of it. What the disk refuses counts as all."""
        return 1.0 if self._trouble else self.depth / self._capacity

    def close(self) -> None:
        """Let go of it. It is deleted by `leftovers`, once its writer is gone and nothing in it is unpublished."""
        self._segment.close()


class Leftover:
    """A folder that a process left when it died; ours alone, by its lock, until `remove`."""

    def __init__(self, folder: Path, lock_file: int) -> None:
        self.folder = folder
        self._lock_file = lock_file
        self._segments = deque(Segment.open(path) for path in sorted(folder.glob(f"*{_SUFFIX}")))

    def read(self, limit: int = 1 << 20) -> list[Record]:
        """Give the oldest unpublished records; none when there are no more."""
        while self._segments:
            first = self._segments[0]
            if records := list(first.read(first.published, limit)):
                return records
            self._segments.popleft().close()
        return []

    def advance(self, end: tuple[int, int]) -> None:
        """The bus has everything up to *end*."""
        self._segments[0].mark(end[1])

    def remove(self) -> None:
        """Delete it: everything in it is published."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Let go of it; whoever comes next finds what is left."""
        while self._segments:
            self._segments.popleft().close()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1


def leftovers(root: Path) -> Iterator[Leftover]:
    """Take each journal under *root* whose writer is dead."""
    for folder in sorted(root.iterdir()) if root.exists() else ():
        try:
            lock_file = _locked(folder)
        except (BlockingIOError, FileNotFoundError, NotADirectoryError):
            continue  # its writer lives, or somebody else has just published it
        yield Leftover(folder, lock_file)


def last(root: Path, most: int) -> list[Record]:
    """Give the *most* last records of each journal under *root*, whether the bus has them or not; what is overwritten is not among them."""
    found: list[Record] = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        records: deque[Record] = deque(maxlen=most)
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            with suppress(FileNotFoundError):
                records.extend(_whole(path))
        found += records
    return found


def _whole(path: Path) -> list[Record]:
    segment = Segment.open(path)
    try:
        return segment.left()
    finally:
        segment.close()


def _name(number: int) -> str:
    return f"{number:08d}{_SUFFIX}"


def _locked(folder: Path) -> int:
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise
    return fd
