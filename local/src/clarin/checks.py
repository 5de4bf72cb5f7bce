"""`make check`, what no linter knows: stray hosts and paths, who may carry neonize, and generated files that are stale."""

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

# Written in parts, since this file is looked through as well.
_REGISTRIES = (
    r"py" + r"pi\.org",
    r"python" + r"hosted\.org",
    r"npm" + r"js\.(?:org|com)",
    r"deb\.deb" + r"ian\.org",
    r"registry\.yarn" + "pkg",
)
_FOLDERS = ("wo" + "rk", "fa" + "rm", "ho" + "me/[a-z]+")
_HOSTS = re.compile("|".join(_REGISTRIES))
_PATHS = re.compile(rf"(?:^|[^A-Za-z0-9_.$}}])/(?:{'|'.join(_FOLDERS)})/")
_MAY_CARRY_NEONIZE = frozenset({"services/device-worker/pyproject.toml", "sim/pyproject.toml"})
_MAY_IMPORT_NEONIZE = ("services/device-worker/", "sim/")


def strays(root: Path, files: list[str]) -> Iterator[str]:
    """Name each line that names a package registry's host or a path of one machine."""
    for name in files:
        try:
            text = (root / name).read_text()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if _HOSTS.search(line):
                yield f"{name}:{number}: names a package registry's host"
            if _PATHS.search(line):
                yield f"{name}:{number}: holds a path of one machine"


def carriers(root: Path, files: list[str]) -> Iterator[str]:
    """Name each member, other than two, that depends on neonize or imports it: its shared object holds GPL-3 code."""
    for name in files:
        path = root / name
        if name.endswith("pyproject.toml") and name not in _MAY_CARRY_NEONIZE:
            dependencies = tomllib.loads(path.read_text()).get("project", {}).get("dependencies", [])
            if any(dependency.startswith("neonize") for dependency in dependencies):
                yield f"{name}: depends on neonize, which only the device-worker and the sim may"
        if name.endswith(".py") and not name.startswith(_MAY_IMPORT_NEONIZE):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if re.match(r"\s*(?:import|from) neonize\b", line):
                    yield f"{name}:{number}: imports neonize, which only the device-worker and the sim may"


def stale(root: Path) -> Iterator[str]:
    """Name each generated file that is not what its generator writes now."""
    ran = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=root, check=False, capture_output=True, text=True)
    if ran.returncode:
        yield from ran.stderr.strip().splitlines()


def tracked(root: Path) -> list[str]:
    """Name every file of the repository."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    return [name for name in listing.split("\0") if name and (root / name).is_file()]


def main(arguments: list[str] | None = None) -> int:
    """Print what is not well; 0 when all is."""
    parser = argparse.ArgumentParser(prog="python -m clarin.checks")
    parser.add_argument("--root", type=Path, default=Path.cwd())
    root = parser.parse_args(arguments).root
    files = tracked(root)
    complaints = [*strays(root, files), *carriers(root, files), *stale(root)]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
