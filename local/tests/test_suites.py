import pytest
from clarin import suites

pytestmark = pytest.mark.timeout(240)

TESTS = {
    "libs/one": "import sys\ndef test_a(): pass\ndef test_what_is_compiled_is_kept(): assert not sys.dont_write_bytecode\n",
    "services/two": "import pytest\n@pytest.mark.docker\ndef test_a(): pytest.skip('no engine')\n",
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    options = "--import-mode=importlib -p no:cacheprovider -p no:schemathesis"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = {options}\nmarkers = docker\n")

    def write(**more):
        for member, text in {**TESTS, **more}.items():
            folder = tmp_path / member / "tests"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "test_it.py").write_text(text)
        return tmp_path

    return write


def closing(capfd):
    return capfd.readouterr().out.strip().splitlines()[-1].strip("= ")


def test_every_suite_is_run_and_summed_up_and_docker_may_be_skipped(root, capfd):
    assert suites.main(["--root", str(root())]) == 0
    assert closing(capfd).startswith("2 passed, 1 skipped in ")


def test_a_skip_and_an_expected_failure_each_fail_the_whole(root, capfd):
    one = root(sim="import pytest\ndef test_a(): pytest.skip('not today')\n")
    for name, text in {
        "test_fails.py": "import pytest\n@pytest.mark.xfail\ndef test_a(): assert False\n",
        "test_passes.py": "import pytest\n@pytest.mark.xfail\ndef test_a(): pass\n",
        "test_module.py": "import pytest\npytest.skip('all of it', allow_module_level=True)\n",
    }.items():
        (one / "sim" / "tests" / name).write_text(text)
    assert suites.main(["--root", str(one), "sim"]) == 1
    said = capfd.readouterr().out
    for name in ("test_fails.py::test_a", "test_passes.py::test_a", "test_it.py::test_a", "test_module.py"):
        assert f"SKIPPED, which is a failure here: sim/tests/{name}\n" in said


@pytest.mark.parametrize("text", ["def test_a(): assert False\n", "def test_a(: pass\n"])
def test_a_failure_and_a_file_that_cannot_be_read_fail_the_whole(root, capfd, text):
    assert suites.main(["--root", str(root(sim=text)), "sim"]) == 1
    assert "FAILED sim" in capfd.readouterr().out
