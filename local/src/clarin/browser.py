"""A Chromium for journeys, pictures and measurements of the panel: the machine's own, or the one that an npm package carries."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).parents[3] / "tests" / "e2e" / "panel" / "browser"

FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True, slots=True)
class Chromium:
    """Where the browser is and what it needs to start."""

    path: str
    environment: dict[str, str]


def find() -> Chromium:
    """A Chromium is there; the package's is installed and unpacked the first time."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return Chromium(found, {})
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=_PACKAGE, check=True, timeout=300)
    unpacked = subprocess.run(["node", "unpack.mjs"], cwd=_PACKAGE, check=True, capture_output=True, timeout=120)
    told = json.loads(unpacked.stdout.splitlines()[-1])
    return Chromium(told["path"], told["environment"])
