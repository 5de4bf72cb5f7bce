import subprocess

import pytest
from clarin import checks


@pytest.fixture
def root(tmp_path):
    (tmp_path / "services" / "auth").mkdir(parents=True)
    return tmp_path


def test_a_registry_host_and_a_path_of_one_machine_are_found(root):
    host, path = "files.python" + "hosted.org", "/ho" + "me/ana/clarin"
    (root / "notes.md").write_text(f"fine\nfrom https://{host}/x\nsee {path} for more\n")
    assert list(checks.strays(root, ["notes.md"])) == [
        "notes.md:2: names a package registry's host",
        "notes.md:3: holds a path of one machine",
    ]


def test_a_path_inside_the_repository_is_no_stray(root):
    (root / "notes.md").write_text("docs/wo" + "rk/a.md and $ROOT/ho" + "me/b/ and https://example.com/wo" + "rk/c\n")
    assert list(checks.strays(root, ["notes.md"])) == []


def test_neonize_is_refused_in_any_other_member(root):
    (root / "services/auth/pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["neonize==0.5.2"]\n')
    (root / "services/auth/main.py").write_text("import os\nfrom neonize.client import X\n")
    assert list(checks.carriers(root, ["services/auth/pyproject.toml", "services/auth/main.py"])) == [
        "services/auth/pyproject.toml: depends on neonize, which only the device-worker and the sim may",
        "services/auth/main.py:2: imports neonize, which only the device-worker and the sim may",
    ]


def test_only_what_git_knows_is_looked_through(root):
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / "known.py").touch()
    (root / "unknown.py").touch()
    subprocess.run(["git", "-C", root, "add", "known.py"], check=True)
    assert checks.tracked(root) == ["known.py"]
