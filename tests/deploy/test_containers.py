"""The journeys through the containers of docker-compose.yml, where there is a Docker engine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clarin import secrets
from testcontainers.compose import DockerCompose

ROOT = Path(__file__).parents[2]
OURS = {"COMPOSE_PROFILES": "sim", "CLARIN_WORKERS": "0", "CLARIN_REGISTRATION": "open", "CLARIN_LIMITS": "off"}
JOURNEYS = ["tests/e2e/test_journey.py", "tests/e2e/test_team.py", "tests/e2e/test_access.py"]

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]


@pytest.fixture
def containers(tmp_path):
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("There is no Docker engine here.")
    settings = tmp_path / "env"
    text = secrets.filled((ROOT / ".env.example").read_text(), secrets.demanded((ROOT / "docker-compose.yml").read_text()))
    ours = "".join(f"{name}={value}\n" for name, value in OURS.items())
    settings.write_text("".join(line for line in text.splitlines(keepends=True) if line.partition("=")[0] not in OURS) + ours)
    with DockerCompose(ROOT, build=True, wait=True, env_file=str(settings), profiles=["sim"]):
        ready = tmp_path / "ready.json"
        ready.write_text(json.dumps({"url": "http://127.0.0.1:8080", "sim_url": "http://127.0.0.1:8090"}))
        yield ready


def test_the_journeys_pass_in_containers(containers):
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", *JOURNEYS]
    ran = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"CLARIN_E2E_READY": str(containers)}
    )
    assert ran.returncode == 0, ran.stdout
