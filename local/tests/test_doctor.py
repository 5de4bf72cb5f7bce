import os
import resource
import socket

import pytest
from clarin import doctor


def fatal(findings):
    return [finding.line() for finding in findings if finding.fatal]


def test_a_healthy_machine_has_nothing_fatal(tmp_path):
    assert fatal(doctor.examine(tmp_path / "data", 0)) == []


def test_a_taken_port_is_told_with_who_has_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (line,) = fatal(doctor.public_port(port))
    assert f"Port {port} is taken by " in line
    assert f"(process {os.getpid()})" in line
    assert "--port" in line


def test_an_old_python_is_told_with_what_to_do():
    (line,) = fatal(doctor.python((3, 9, 1)))
    assert "Python 3.9.1 is too old. Clarin needs 3.11 or later" in line


def test_a_full_disk_is_told(tmp_path):
    (line,) = fatal(doctor.disk(tmp_path / "not" / "yet", needed=1 << 60))
    assert "MiB are free on the disk" in line
    assert "Make room" in line


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    (line,) = fatal(doctor.folder(tmp_path / "file" / "data"))
    assert "cannot be written: Not a directory" in line
    assert "--data" in line


@pytest.mark.parametrize("place", ["/proc/clarin", "/sys/clarin"])
def test_a_folder_without_permission_is_told(place):
    from pathlib import Path

    (line,) = fatal(doctor.folder(Path(place)))
    assert f"The data folder {place} cannot be written" in line


def test_too_few_files_are_told():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    (finding,) = doctor.files(needed=hard + 1)
    assert finding.advice.startswith(f"Raise the hard limit to {hard + 1}")
    assert not finding.fatal


def test_a_missing_library_is_told():
    wanted = {"neonize": lambda: doctor.module("neonize"), "a wheel": lambda: doctor.module("not_installed_at_all")}
    (line,) = fatal(doctor.libraries(wanted))
    assert line == "[red]✗[/] Missing: a wheel. Run `make setup`."
