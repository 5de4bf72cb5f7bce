"""Objects in a folder and in a server that speaks S3: the same, seen from here."""

import json
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from servicekit.embedded import free_port
from servicekit.objects import ObjectMissing, Objects, ObjectsAway
from servicekit.testing import eventually

KEY, SECRET = "clarin", "clarin-secret"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a SeaweedFS, from its wheel."""
    identity = {"name": KEY, "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin", "Read", "Write", "List"]}
    folder = tmp_path_factory.mktemp("s3")
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    command = [f"{sysconfig.get_path('scripts')}/weed", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]
    ports = {part: free_port() for part in ("master", "volume", "filer", "s3")}
    command += [f"-{part}.port={port}" for part, port in ports.items()] + [f"-{part}.port.grpc={free_port()}" for part in ports]
    command += [f"-s3.config={config}", "-volume.max=2", "-master.volumeSizeLimitMB=64"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    yield f"http://127.0.0.1:{ports['s3']}"
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
