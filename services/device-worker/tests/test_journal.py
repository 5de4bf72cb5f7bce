"""The journal on a real disk."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from device_worker.journal import Journal, Pump, Reader, Record, files, leftovers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servicekit.testing import eventually

TENANT, DEVICE = UUID(int=1), UUID(int=2)


def raws(records: list[Record]) -> list[bytes]:
    return [record.raw for record in records]


def drained(source) -> list[bytes]:
    found: list[bytes] = []
    while records := source.read():
        found += raws(records)
        source.advance(records[-1].end)
    return found


class Both:
    """A journal and its reader, which is told of every append."""

    def __init__(self, root: Path, *, capacity: int = 1 << 20, segment: int = 1 << 14) -> None:
        self.journal = Journal(root, segment=segment)
        self.reader = Reader(self.journal.folder, capacity=capacity)
        self.journal.on_append = self.tell

    def append(self, kind: int, raw: bytes) -> None:
        self.journal.append(kind, TENANT, DEVICE, raw)

    def tell(self) -> None:
        self.reader.told(self.journal.total, trouble=self.journal.trouble is not None)


@given(st.binary(max_size=300), st.integers(0, 255), st.integers(0, 2**63))
def test_a_record_reads_back_as_written(raw, kind, at):
    record, end = files.decode(data := files.encode(kind, TENANT, DEVICE, at, raw)) or (None, 0)
    assert record == Record(kind, TENANT, DEVICE, at, raw)
    assert end == len(data)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_torn_or_changed_record_is_none(raw, data):
    whole = files.encode(17, TENANT, DEVICE, 5, raw)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert files.decode(whole[:cut]) is None
    flip = data.draw(st.integers(4, len(whole) - 1))
    changed = bytearray(whole)
    changed[flip] ^= 1 << data.draw(st.integers(0, 7))
    assert files.decode(bytes(changed)) is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=3000), max_size=30), st.integers(0, 30), st.integers(0, 2000))
def test_whatever_was_appended_and_not_published_is_found_after_a_crash(tmp_path, appended, published, torn):
    """A crash is: the file as the operating system has it, and garbage of a half-written record at its end."""
    root = tmp_path / str(uuid4())
    both = Both(root, segment=4096)
    for raw in appended:
        both.append(17, raw)
    done = 0
    while done < published and (records := both.reader.read(1)):
        both.reader.advance(records[0].end)
        done += 1
    last = both.journal._segment
    if torn and last.size - last.written > 8:
        os.pwrite(last._fd, files.encode(17, TENANT, DEVICE, 0, b"x" * 5000)[: min(torn, last.size - last.written)], last.written)
    os.close(both.journal._lock_file)
    both.reader.close()
    [leftover] = leftovers(root)
    assert drained(leftover) == appended[done:]
    leftover.remove()
    assert list(leftovers(root)) == []


def test_what_is_published_takes_no_space_and_a_clean_end_leaves_nothing(tmp_path):
    both = Both(tmp_path, capacity=1 << 16, segment=4096)
    for number in range(100):
        both.append(17, bytes([number]) * 1000)
    assert both.reader.fill > 1
    assert len(list(both.journal.folder.glob("*.segment"))) > 20
    assert drained(both.reader) == [bytes([number]) * 1000 for number in range(100)]
    assert both.reader.fill == 0
    assert len(list(both.journal.folder.glob("*.segment"))) == 1
    both.journal.close()
    both.reader.close()
    [leftover] = leftovers(tmp_path)
    assert leftover.read() == []
    leftover.remove()
    assert os.listdir(tmp_path) == []


def test_a_record_larger_than_a_segment_gets_its_own(tmp_path):
    both = Both(tmp_path, segment=4096)
    large = os.urandom(50_000)
    both.append(13, b"before")
    both.append(13, large)
    both.append(13, b"after")
    assert drained(both.reader) == [b"before", large, b"after"]
    both.journal.close()
    both.reader.close()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 6), st.binary(max_size=3000)), max_size=30))
def test_a_reader_gets_every_record_once_and_in_order_however_writing_and_reading_are_mixed(tmp_path, steps):
    both = Both(tmp_path / str(uuid4()), segment=4096)
    found: list[bytes] = []
    for reads, raw in steps:
        both.append(17, raw)
        for _ in range(reads):
            if records := both.reader.read(1):
                found.append(records[0].raw)
                both.reader.advance(records[0].end)
    assert found + drained(both.reader) == [raw for _, raw in steps]
    assert both.reader.depth == 0
    both.journal.close()
    both.reader.close()


def test_a_disk_that_is_full_loses_nothing_and_says_so(tmp_path):
    """The disk is one of 40 kB: a limit on the size of files, in a process of its own."""
    program = textwrap.dedent(
        """
        import resource, signal, sys
        from pathlib import Path
        from uuid import UUID
        from device_worker.journal import Journal, Reader
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        journal = Journal(Path(sys.argv[1]), segment=8192)
        reader = Reader(journal.folder, capacity=1 << 20)
        def tell():
            reader.told(journal.total, trouble=journal.trouble is not None)
        journal.on_append = tell
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        for number in range(50):
            journal.append(17, UUID(int=1), UUID(int=2), bytes([number]) * 500)
        assert journal.trouble is not None and reader.fill == 1.0, reader.fill
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        journal.retry()
        tell()
        assert journal.trouble is None and reader.fill < 1.0
        found = []
        while records := reader.read():
            found += [record.raw for record in records]
            reader.advance(records[-1].end)
        assert found == [bytes([number]) * 500 for number in range(50)], len(found)
        print("whole")
        """
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "whole\n", done.stderr


async def test_a_journal_whose_writer_lives_is_left_alone_and_after_kill_9_taken(tmp_path):
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from uuid import UUID
        from device_worker.journal import Journal
        journal = Journal(Path(sys.argv[1]), segment=1 << 16)
        for number in range(100):
            journal.append(17, UUID(int=1), UUID(int=2), b"%d" % number)
        print("ready", flush=True)
        sys.stdin.read()
        """
    )
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    assert await writer.stdout.readline() == b"ready\n"
    assert list(leftovers(tmp_path)) == []
    writer.send_signal(signal.SIGKILL)
    await writer.wait()
    [leftover] = leftovers(tmp_path)
    assert drained(leftover) == [b"%d" % number for number in range(100)]
    leftover.remove()


async def test_the_pump_publishes_in_order_once_the_bus_is_there_and_also_what_the_dead_left(tmp_path: Path):
    dead = Journal(tmp_path, segment=4096)
    dead.append(17, TENANT, DEVICE, b"left behind")
    os.close(dead._lock_file)
    both = Both(tmp_path, segment=4096)
    published: list[bytes] = []
    away = 2

    async def publish(records) -> None:
        nonlocal away
        if away:
            away -= 1
            raise TimeoutError
        published.extend(raws(records))

    pump = Pump(tmp_path, publish)
    loop = asyncio.get_running_loop()

    def appended() -> None:
        both.tell()
        pump.wake()

    both.journal.on_append = lambda: loop.call_soon_threadsafe(appended)
    stopping = asyncio.Event()
    running = asyncio.create_task(pump.run(stopping))
    pump.take(both.reader)
    for number in range(20):
        await asyncio.to_thread(both.append, 17, b"%d" % number)

    def all_there() -> bool:
        return len(published) >= 21

    await eventually(all_there)
    both.journal.close()
    stopping.set()
    await running
    assert [raw for raw in published if raw != b"left behind"] == [b"%d" % number for number in range(20)]
    assert published.count(b"left behind") == 1
    assert os.listdir(tmp_path) == []


async def test_what_a_dead_host_had_appended_and_not_told_is_published_beside_the_next_ones_journal(tmp_path: Path):
    published: list[bytes] = []

    async def publish(records) -> None:
        published.extend(raws(records))

    pump = Pump(tmp_path, publish)
    stopping = asyncio.Event()
    running = asyncio.create_task(pump.run(stopping))
    first = Both(tmp_path)
    pump.take(first.reader)
    first.journal.on_append = lambda: None
    first.append(17, b"untold")
    os.close(first.journal._lock_file)
    second = Both(tmp_path)
    second.append(17, b"next")
    pump.take(second.reader)
    await eventually(lambda: sorted(published) == [b"next", b"untold"])
    second.journal.close()
    stopping.set()
    await running
    assert sorted(published) == [b"next", b"untold"]
    assert os.listdir(tmp_path) == []


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=8, max_size=900), min_size=2, max_size=30), st.data())
def test_what_the_bus_has_is_overwritten_and_what_it_has_not_is_still_there_after_a_crash(tmp_path, appended, data):
    root = tmp_path / uuid4().hex
    both = Both(root, segment=1 << 16)
    words = [f"secreto-{number:04d}-".encode() + raw for number, raw in enumerate(appended)]
    for word in words:
        both.append(17, word)
    records = both.reader.read()
    published = data.draw(st.integers(1, len(records)))
    both.reader.advance(records[published - 1].end)
    assert both.reader.wipe() == 0, "what was published since the last time tells the next process what is no news"
    assert both.reader.wipe() > 0
    assert both.reader.wipe() == 0
    disk = b"".join(path.read_bytes() for path in root.rglob("*.segment"))
    assert [f"secreto-{number:04d}-".encode() in disk for number in range(len(words))] == [n >= published for n in range(len(words))]
    both.journal.close()
    both.reader.close()
    left = [raw for leftover in leftovers(root) for raw in drained(leftover)]
    assert left == words[published:]


def test_the_last_records_of_dead_journals_are_known_as_long_as_they_are_not_overwritten(tmp_path):
    both = Both(tmp_path, segment=1 << 12)
    kept = [f"{number} {'x' * 100}".encode() for number in range(50)]
    for raw in kept:
        both.append(17, raw)
    assert raws(files.last(tmp_path, 10)) == kept[-10:]
    assert drained(both.reader) == kept
    assert raws(files.last(tmp_path, 10)) == kept[-10:]
    assert files.last(tmp_path / "nowhere", 10) == []
    for _ in range(2):
        both.reader.wipe()
    assert files.last(tmp_path, 10) == []
    both.append(17, b"after")
    assert raws(files.last(tmp_path, 10)) == [b"after"]
    both.journal.close()


#: The frames of bodies of 256 and of 65,536 bytes begin with a zero, and with two, as what was overwritten ends.
@pytest.mark.parametrize("size", [1, 255 - files._BODY.size, 256 - files._BODY.size, 65_536 - files._BODY.size])
def test_behind_what_was_overwritten_the_last_records_are_found(tmp_path, size):
    both = Both(tmp_path, segment=1 << 20)
    for round in range(3):
        both.append(17, b"%d" % round * size)
        both.append(17, b"second of %d" % round)
        drained(both.reader)
        both.reader.wipe()
    assert raws(files.last(tmp_path, 10)) == [b"2" * size, b"second of 2"]
    both.append(17, b"not published")
    assert raws(files.last(tmp_path, 10)) == [b"2" * size, b"second of 2", b"not published"]
    both.journal.close()


async def test_what_a_dead_host_has_left_stays_until_another_was_told_of_it(tmp_path: Path):
    async def publish(records) -> None:
        pass

    pump = Pump(tmp_path, publish)
    stopping = asyncio.Event()
    dead = Both(tmp_path)
    pump.take(dead.reader)
    dead.append(17, b"published")
    dead.journal.close()
    await pump._sweep(stopping)
    assert raws(files.last(tmp_path, 10)) == [b"published"]
    other = Both(tmp_path)
    pump.take(other.reader)
    await pump._sweep(stopping)
    assert files.last(tmp_path, 10) == []
    other.journal.close()
    dead.reader.close()
