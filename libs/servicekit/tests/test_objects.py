"""Objects in a folder and in a server that speaks S3: the same, seen from here."""

import json
import socket
import subprocess
import sysconfig
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from servicekit.embedded import is_free
from servicekit.objects import ObjectMissing, Objects, ObjectsAway
from servicekit.testing import eventually

KEY, SECRET = "clarin", "clarin-secret"


def free_port() -> int:
    """A port that is free together with its neighbour 10,000 above, which the server takes as well."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 50_000 and is_free(port + 10_000):
            return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a SeaweedFS, from its wheel."""
    identity = {"name": KEY, "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin", "Read", "Write", "List"]}
    for _ in range(5):  # somebody may take one of its eight ports before it does: it ends then, or waits for good
        folder = tmp_path_factory.mktemp("s3")
        config = folder / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}))
        master, volume, filer, port = (free_port() for _ in range(4))
        command = [f"{sysconfig.get_path('scripts')}/weed", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        command += [f"-master.port={master}", f"-volume.port={volume}", "-filer", f"-filer.port={filer}", "-s3", f"-s3.port={port}"]
        command += [f"-s3.config={config}", "-volume.max=2", "-master.volumeSizeLimitMB=64"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + 20
        while not (there := listens(port)) and server.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        if there:
            break
        server.kill()
        server.wait(10)
    yield f"http://127.0.0.1:{port}"
    server.kill()
    server.wait(10)


@pytest.fixture(params=["folder", "s3"])
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Objects]:
    if request.param == "folder":
        yield Objects.folder(tmp_path / "objects")
        return
    endpoint = request.getfixturevalue("s3")
    remote = Objects("s3://media/below", endpoint=endpoint, access_key=KEY, secret_key=SECRET)

    async def ready() -> bool:
        try:
            await remote.put("ready", b"yes")
        except ObjectsAway:
            return False
        return True

    await eventually(ready, timeout=50, every=0.25)
    yield remote


@pytest.mark.timeout(240)
async def test_an_object_is_there_whole_in_parts_and_then_no_more(objects: Objects, tmp_path: Path):
    file, back = tmp_path / "file", tmp_path / "back"
    file.write_bytes(b"abc" * 3_000_000)  # more than one part of an upload
    await objects.put("t/ab/x", file)
    assert (await objects.size("t/ab/x"), await objects.size("t/ab/y")) == (9_000_000, None)
    assert b"".join([chunk async for chunk in await objects.read("t/ab/x", 3, 9)]) == b"abcabc"
    assert sum([len(chunk) async for chunk in await objects.read("t/ab/x", 10)]) == 8_999_990
    await objects.fetch("t/ab/x", back)
    assert back.read_bytes() == file.read_bytes()
    await objects.delete("t/ab/x", "t/ab/x")
    with pytest.raises(ObjectMissing):
        await objects.read("t/ab/x")


async def test_a_store_that_is_not_there_says_so():
    nowhere = Objects("s3://media", endpoint=f"http://127.0.0.1:{free_port()}", access_key=KEY, secret_key=SECRET)
    with pytest.raises(ObjectsAway):
        await nowhere.size("t/ab/x")
