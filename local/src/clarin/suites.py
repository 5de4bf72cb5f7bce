"""`make test`: every suite, one after another, with its time; then one line as pytest would close with."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

#: Suites that compute, or have so little to do that a second process would not pay: their files run one after another.
ALONE = frozenset({"libs/contracts", "bench"})
#: Files at a time, where it is not three: most wait for servers and time-outs more than they compute. A whole system computes.
AT_ONCE = {"local": 2, "sim": 2, "services/realtime": 2, "tests": 2}
NO_TESTS = 5


@dataclass(frozen=True, slots=True)
class Result:
    """What one suite gave."""

    name: str
    seconds: float
    code: int
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0

    @property
    def well(self) -> bool:
        """Whether nothing failed; a folder without tests is well."""
        return self.code in {0, NO_TESTS}

    def line(self) -> str:
        """Give it as a line of the closing table."""
        mark = "ok    " if self.well else "FAILED"
        more = "".join(
            f", {count} {what}" for count, what in ((self.failed, "failed"), (self.errors, "errors"), (self.skipped, "skipped")) if count
        )
        return f"  {mark} {self.name:<24} {self.seconds:7.1f} s   {self.passed} passed{more}"


def suites(root: Path) -> list[str]:
    """Name every folder of tests, the quick ones first."""
    members = [
        path.parent
        for pattern in ("libs/*/tests", "services/*/tests", "sim/tests", "local/tests", "bench/tests")
        for path in sorted(root.glob(pattern))
    ]
    return [str(member.relative_to(root)) for member in members] + (["tests"] if (root / "tests").is_dir() else [])


def run(root: Path, name: str, more: list[str]) -> Result:
    """Run one suite, its output on this terminal."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        where = name if name == "tests" else f"{name}/tests"
        spread = ["-p", "no:xdist"] if name in ALONE else ["-n", str(AT_ONCE.get(name, 3)), "--dist", "loadfile", "--no-loadscope-reorder"]
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
            "--durations=3",
            where,
            *more,
        ]
        code = subprocess.run(words, cwd=root, check=False).returncode
        seconds = time.monotonic() - began
        if not report.exists():
            return Result(name, seconds, code or 1)
        suite = next(iter(ElementTree.parse(report).iter("testsuite")))  # noqa: S314
    tests, failed, errors, skipped = (int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped"))
    return Result(name, seconds, code, tests - failed - errors - skipped, failed, errors, skipped)


def panel(root: Path) -> Result | None:
    """Run the panel's own tests, where there are any."""
    package = root / "web" / "package.json"
    if not package.exists() or '"test"' not in package.read_text():
        return None
    began = time.monotonic()
    code = subprocess.run(["npm", "test", "--silent"], cwd=root / "web", check=False, env=os.environ | {"CI": "1"}).returncode
    return Result("web", time.monotonic() - began, code, passed=0 if code else 1, failed=1 if code else 0)


def main(arguments: list[str] | None = None) -> int:
    """Run them; 0 when nothing failed and nothing was skipped but what needs Docker."""
    parser = argparse.ArgumentParser(prog="make test")
    parser.add_argument("names", nargs="*", help="suites, such as services/auth; all when left out")
    parser.add_argument("--root", type=Path, default=Path.cwd())
    parser.add_argument("--pytest", action="append", default=[], help="one more word for pytest")
    chosen = parser.parse_args(arguments)
    console = Console(highlight=False)
    results = []
    for name in chosen.names or suites(chosen.root):
        console.rule(name)
        results.append(run(chosen.root, name, chosen.pytest))
    if not chosen.names and (result := panel(chosen.root)):
        results.append(result)
    print()
    for result in results:
        print(result.line())
    counts = {
        "failed": sum(result.failed for result in results),
        "passed": sum(result.passed for result in results),
        "skipped": sum(result.skipped for result in results),
        "errors": sum(result.errors for result in results),
    }
    well = all(result.well for result in results)
    text = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no tests ran"
    print(f"{'=' * 20} {text} in {sum(result.seconds for result in results):.2f}s {'=' * 20}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
