"""A pytest plugin for `make test`: a test that was skipped, or expected to fail, is a failure.

The one exception are tests marked `docker`, on a machine without a Docker engine.
"""

import pytest

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what was skipped or expected to fail, wherever it ran."""
    if (report.skipped or hasattr(report, "wasxfail")) and "docker" not in report.keywords:
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a module that was skipped whole."""
    if report.skipped:
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run for each."""
    if _skipped and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name them."""
    for nodeid in dict.fromkeys(_skipped):
        terminalreporter.write_line(f"SKIPPED, which is a failure here: {nodeid}", red=True)
