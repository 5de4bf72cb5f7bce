import os
import subprocess
import sys

import pytest
from pydantic import Field
from servicekit.settings import Settings, WithBus, WithCursors, WithDatabase, WithHttp, load


class ShopSettings(WithHttp, WithDatabase, WithBus, WithCursors, Settings):
    counters: int = Field(1, ge=1, description="a number of counters from 1")


GOOD = {
    "CLARIN_DATABASE_URL": "postgresql://shop:opensesame@127.0.0.1:5432/clarin",
    "CLARIN_SYSTEM_DATABASE_URL": "postgresql://shop_system:opensesame@127.0.0.1:5432/clarin",
    "CLARIN_NATS_URL": "nats://shop:opensesame@127.0.0.1:4222",
    "CLARIN_CURSOR_SECRET": "0123456789abcdef0123456789abcdef",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("CLARIN_")]:
        monkeypatch.delenv(name)

    def put(**changes):
        for name, value in (GOOD | changes).items():
            monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name, raising=False)

    return put


def refusal(capsys):
    with pytest.raises(SystemExit) as ended:
        load(ShopSettings, "shop")
    assert ended.value.code == 78
    return capsys.readouterr().err


def test_settings_come_from_the_environment(environment):
    environment(CLARIN_HTTP_PORT="8080", CLARIN_COUNTERS="3")
    settings = load(ShopSettings, "shop")
    assert (settings.http_port, settings.counters, settings.env, settings.log_level) == (8080, 3, "development", "INFO")
    assert settings.database_url == GOOD["CLARIN_DATABASE_URL"]


def test_settings_never_change(environment):
    environment()
    settings = load(ShopSettings)
    with pytest.raises(ValueError, match="frozen"):
        settings.http_port = 1


def test_a_missing_variable_is_named_with_what_it_should_be(environment, capsys):
    environment(CLARIN_DATABASE_URL=None)
    assert refusal(capsys) == "clarin shop: CLARIN_DATABASE_URL is missing: a postgresql:// address, with the service's own role.\n"


def test_an_empty_variable_is_a_missing_one(environment, capsys):
    environment(CLARIN_NATS_URL="")
    assert refusal(capsys) == "clarin shop: CLARIN_NATS_URL is missing: a nats:// address, with user and password.\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLARIN_DATABASE_URL", "mysql://shop:hushhush@127.0.0.1/clarin"),
        ("CLARIN_NATS_URL", "hushhush"),
        ("CLARIN_CURSOR_SECRET", "hushhush"),
        ("CLARIN_HTTP_PORT", "hushhush"),
        ("CLARIN_HTTP_PORT", "70000"),
        ("CLARIN_COUNTERS", "0"),
        ("CLARIN_ENV", "hushhush"),
    ],
)
def test_a_bad_value_is_named_and_never_repeated(environment, capsys, name, value):
    environment(**{name: value})
    line = refusal(capsys)
    assert line.startswith(f"clarin shop: {name} is not valid: ")
    assert line.count("\n") == 1
    assert value not in line or value == "0"


def test_every_bad_variable_has_its_line(environment, capsys):
    environment(CLARIN_DATABASE_URL=None, CLARIN_HTTP_PORT="x")
    assert len(refusal(capsys).splitlines()) == 2


def test_secrets_do_not_show_when_settings_are_printed(environment):
    environment()
    shown = repr(load(ShopSettings))
    assert "opensesame" not in shown
    assert GOOD["CLARIN_CURSOR_SECRET"] not in shown


def test_a_process_without_its_variables_ends_with_78_and_no_traceback():
    code = (
        "from servicekit.run import service\nfrom servicekit.settings import Settings, WithBus\n"
        "class S(WithBus, Settings): pass\n"
        "async def start(settings, process): ...\n"
        "service('shop', S, start)"
    )
    ended = subprocess.run([sys.executable, "-c", code], env={"PATH": "/bin"}, capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 78
    assert ended.stderr == "clarin shop: CLARIN_NATS_URL is missing: a nats:// address, with user and password.\n"
    assert ended.stdout == ""
