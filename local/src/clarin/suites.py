"""`make test`: every suite, with its time; then one line as pytest would close with."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

#: Suites that run by themselves, two files at a time: whole systems compute, and what realtime shows is when.
APART = ("services/realtime", "local", "tests")
#: All others are one session of pytest, three files at a time: they mostly wait, and what they import and start is paid for once.
_FEW, _MANY = 2, 3
NO_TESTS = 5


@dataclass(frozen=True, slots=True)
class Result:
    """What one suite gave; *seconds* its tests took, which may have run side by side."""

    name: str
    seconds: float
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0

    @property
    def well(self) -> bool:
        """Whether nothing failed; a folder without tests is well."""
        return not self.failed and not self.errors

    def line(self) -> str:
        """Give it as a line of the closing table."""
        mark = "ok    " if self.well else "FAILED"
        more = "".join(
            f", {count} {what}" for count, what in ((self.failed, "failed"), (self.errors, "errors"), (self.skipped, "skipped")) if count
        )
        return f"  {mark} {self.name:<24} {self.seconds:7.1f} s   {self.passed} passed{more}"


def suites(root: Path) -> list[str]:
    """Name every folder of tests."""
    members = [
        path.parent
        for pattern in ("libs/*/tests", "services/*/tests", "sim/tests", "local/tests", "bench/tests")
        for path in sorted(root.glob(pattern))
    ]
    return [str(member.relative_to(root)) for member in members] + (["tests"] if (root / "tests").is_dir() else [])


def sessions(root: Path, names: Sequence[str]) -> list[list[str]]:
    """Say which suites run together."""
    together = [name for name in names if name not in APART]
    return [some for some in (together, *([name] for name in APART if name in names)) if some]


def folder(root: Path, name: str) -> Path:
    """Give the folder of a suite's tests."""
    return root / name if name == "tests" else root / name / "tests"


def files(root: Path, names: Sequence[str]) -> list[Path]:
    """List the files of the suites' tests, the large ones first: a session should not end with everybody waiting for one file."""
    every = [file for name in names for file in folder(root, name).rglob("test_*.py")]
    return sorted(every, key=lambda file: (-file.stat().st_size, file))


def run(root: Path, names: Sequence[str], more: Sequence[str]) -> tuple[list[Result], bool]:
    """Run these suites, their output on this terminal; tell what each gave, and whether the whole is well."""
    paths = files(root, names)
    if not paths:
        return [Result(name, 0) for name in names], True
    at_once = min(_FEW if names[0] in APART else _MANY, len(paths))
    spread = ["-p", "no:xdist"] if at_once < 2 else ["-n", str(at_once), "--dist", "loadfile", "--no-loadscope-reorder"]
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.xml"
        words = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--tb=short",
            "-p",
            "clarin.strictness",
            *spread,
            "--junitxml",
            str(report),
            "--durations=10",
            *(str(path.relative_to(root)) for path in paths),
            *more,
        ]
        code = subprocess.run(words, cwd=root, check=False, env=_environment()).returncode
        cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []  # noqa: S314
    results = [_result(root, name, cases) for name in names]
    return results, code in {0, NO_TESTS} and all(result.well for result in results)


def _environment() -> dict[str, str]:
    # Without a cache of bytecode each of the hundreds of processes that tests start compiles our sources anew, and each session the tests.
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _result(root: Path, name: str, cases: Sequence[ElementTree.Element]) -> Result:
    # A file that cannot be read is a case without a class, called as its module is.
    prefix = ".".join(folder(root, name).relative_to(root).parts) + "."
    mine = [case for case in cases if (case.get("classname") or case.get("name") or "").startswith(prefix)]
    counts = Counter(
        next(
            (what for what, tag in (("errors", "error"), ("failed", "failure"), ("skipped", "skipped")) if case.find(tag) is not None),
            "passed",
        )
        for case in mine
    )
    return Result(name, sum(float(case.get("time", 0)) for case in mine), **counts)


def panel(root: Path) -> Result | None:
    """Run the panel's own tests, where there are any."""
    package = root / "web" / "package.json"
    if not package.exists() or '"test"' not in package.read_text():
        return None
    began = time.monotonic()
    code = subprocess.run(["npm", "test", "--silent"], cwd=root / "web", check=False, env=os.environ | {"CI": "1"}).returncode
    return Result("web", time.monotonic() - began, passed=0 if code else 1, failed=1 if code else 0)


def main(arguments: list[str] | None = None) -> int:
    """Run them; 0 when nothing failed and nothing was skipped but what needs Docker."""
    parser = argparse.ArgumentParser(prog="make test")
    parser.add_argument("names", nargs="*", help="suites, such as services/auth; all when left out")
    parser.add_argument("--root", type=Path, default=Path.cwd())
    parser.add_argument("--pytest", action="append", default=[], help="one more word for pytest")
    chosen = parser.parse_args(arguments)
    console = Console(highlight=False)
    began, results, well = time.monotonic(), list[Result](), True
    for names in sessions(chosen.root, chosen.names or suites(chosen.root)):
        console.rule(", ".join(names))
        some, as_it_should = run(chosen.root, names, chosen.pytest)
        results += some
        well = well and as_it_should
    if not chosen.names and (result := panel(chosen.root)):
        results.append(result)
        well = well and result.well
    print()
    for result in results:
        print(result.line())
    counts = {
        "failed": sum(result.failed for result in results),
        "passed": sum(result.passed for result in results),
        "skipped": sum(result.skipped for result in results),
        "errors": sum(result.errors for result in results),
    }
    text = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no tests ran"
    print(f"{'=' * 20} {text} in {time.monotonic() - began:.2f}s {'=' * 20}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
