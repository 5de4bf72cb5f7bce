"""A Chromium for journeys, pictures and measurements of the panel: the machine's own, or the one that an npm package carries."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_PACKAGE = _ROOT / "tests" / "e2e" / "panel" / "browser"
_ROUTE = re.compile(
    r"const (\w+) = createRoute\(\{\s*getParentRoute: \(\) => (\w+),\s*(?:path: \"([^\"]*)\"|id: \"\w+\")(.*?)^\}\);",
    re.DOTALL | re.MULTILINE,
)

#: The panel's pages for whoever is not signed in.
DOORS = ("/login", "/invite", "/forgot", "/reset")

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


def routes() -> list[str]:
    """Every path of the panel's router but those that lead to another one; what differs stands in them as ``$name``."""
    told = _ROUTE.findall((_ROOT / "web" / "src" / "router.tsx").read_text())
    found = {name: (parent, path, "component" in rest) for name, parent, path, rest in told}
    parents = {parent for parent, _, _ in found.values()}

    def whole(name: str) -> str:
        return "" if name == "root" else whole(found[name][0]) + found[name][1].rstrip("/")

    return [whole(name) for name, (_, _, shown) in found.items() if shown and name not in parents]
