import asyncio
import base64
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from auth.settings import AuthSettings
from servicekit.db import Database
from servicekit.embedded import free_port
from servicekit.settings import load
from servicekit.testing import eventually
from sqlalchemy import text

from .conftest import PASSWORD, Caller, Order, environment, surround

EMAIL = "root@example.com"
#: Nothing answers there: for what is refused before anything is opened.
SOMEWHERE = AuthSettings(
    database_url="postgresql://auth:x@127.0.0.1:1/clarin",
    system_database_url="postgresql://auth_system:x@127.0.0.1:1/clarin",
    nats_url="nats://127.0.0.1:1",
    redis_url="redis://127.0.0.1:1",
    cursor_secret="c" * 32,
    encryption_key=base64.b64encode(bytes(range(32))).decode(),
)


@asynccontextmanager
async def python(*arguments: str, env: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "auth", *arguments, env=env, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def ran(*arguments: str, env: dict[str, str], typed: str = "") -> tuple[int | None, str, str]:
    async with python(*arguments, env=env) as process:
        out, err = await process.communicate(typed.encode())
        return process.returncode, out.decode(), err.decode()


async def test_the_installations_owner_is_made_once_and_stands_above_the_tenants(
    call: Caller, settings: AuthSettings, system: Database, order: Order
) -> None:
    code, out, err = await ran(
        "admin", "create", "--email", "Root@example.com", "--account", "Clarin", env=environment(settings), typed=PASSWORD + "\n"
    )
    assert (code, err) == (0, "")
    assert "usr_" in out
    assert PASSWORD not in out
    signed = await call.login(EMAIL)
    assert jwt.decode(signed.body["access_token"], options={"verify_signature": False})["ins"] is True
    assert (await call.bearing(signed.body["access_token"])("GET", "/api/auth/me")).body["installation"] is True
    code, out, err = await order("admin", "create", "--email", EMAIL, CLARIN_ADMIN_PASSWORD=PASSWORD)
    assert (code, err) == (0, "")
    assert "nothing was changed" in out
    async with system.system() as tx:
        assert (await tx.execute(text("select count(*) from users where installation"))).scalar_one() == 1


async def test_the_password_of_the_installations_owner_may_stand_in_a_variable(call: Caller, order: Order) -> None:
    code, out, err = await order("admin", "create", "--email", EMAIL, CLARIN_ADMIN_PASSWORD=PASSWORD)
    assert (code, err) == (0, "")
    assert PASSWORD not in out
    assert (await call.login(EMAIL)).status == 200


async def test_an_owner_of_the_installation_that_cannot_be_made_is_refused_in_one_line(
    call: Caller, settings: AuthSettings, order: Order
) -> None:
    await call.register()
    words = ("admin", "create", "--email")
    for email, password, said in (("ana@example.com", PASSWORD, "already"), (EMAIL, "password", "too easy"), (EMAIL, "x" * 73, "72 bytes")):
        code, out, err = await order(*words, email, CLARIN_ADMIN_PASSWORD=password)
        assert (code, out, err.count("\n")) == (1, "", 1), err
        assert said in err
    code, out, err = await ran(*words, EMAIL, env=environment(settings), typed="\n")
    assert (code, out, err.count("\n"), "too easy" in err) == (1, "", 1, True), err
    code, _, err = await order(*words, "nonsense")
    assert code == 2
    assert "--email" in err


async def test_an_invitation_from_the_command_line_opens_one_account(started: Callable[..., Awaitable[Caller]], order: Order) -> None:
    call = await started(registration="invite")
    code, out, err = await order("invite", "--days", "1")
    assert (code, err) == (0, "")
    assert (await call.register(invitation=out.strip())).status == 201
    assert (await call.register("beto@example.com", invitation=out.strip())).code == "invitation-invalid"


async def test_the_process_starts_serves_and_ends_when_it_is_told(settings: AuthSettings, call: Caller) -> None:
    port = free_port()
    async with python(env=environment(settings, CLARIN_HTTP_PORT=str(port))) as process:
        other = Caller(f"http://127.0.0.1:{port}", call.http)

        async def serves() -> bool:
            try:
                return (await other("GET", "/health/ready")).status == 200
            except OSError as error:
                raise AssertionError("It does not listen yet.") from error

        await eventually(serves)
        assert (await other.register()).status == 201
        process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(process.communicate(), 25)
        assert process.returncode == 0
        assert PASSWORD.encode() not in out
        assert b"ana@example.com" not in out


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CLARIN_ENCRYPTION_KEY", ""),
        ("CLARIN_ENCRYPTION_KEY", "c2hvcnQ="),
        ("CLARIN_ENCRYPTION_KEY", "not base64 at all!"),
        ("CLARIN_REGISTRATION", "sometimes"),
        ("CLARIN_BCRYPT_COST", "3"),
        ("CLARIN_REDIS_URL", ""),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    surround(monkeypatch, environment(SOMEWHERE, **{variable: value}))
    with pytest.raises(SystemExit) as ended:
        load(AuthSettings, "auth")
    err = capsys.readouterr().err
    assert (ended.value.code, err.count("\n")) == (78, 1), err
    assert variable in err
    assert value == "" or value not in err


async def test_production_refuses_cheap_hashes() -> None:
    changes = {"CLARIN_ENV": "production", "CLARIN_BCRYPT_COST": "4"}
    random = {"CLARIN_CURSOR_SECRET": secrets.token_urlsafe(32), "CLARIN_ENCRYPTION_KEY": base64.b64encode(os.urandom(32)).decode()}
    code, _, err = await ran(env=environment(SOMEWHERE, **changes, **random))
    assert (code, err.count("\n")) == (78, 1), err
    assert "CLARIN_BCRYPT_COST" in err


async def test_the_wrong_encryption_key_ends_the_start(call: Caller, settings: AuthSettings) -> None:
    code, out, err = await ran(env=environment(settings, CLARIN_ENCRYPTION_KEY="A" * 43 + "="))
    assert code == 1
    assert "CLARIN_ENCRYPTION_KEY is not the one" in out + err


def test_a_setting_shows_no_secret(settings: Any) -> None:
    shown = repr(settings)
    assert settings.encryption_key not in shown
    assert settings.database_url not in shown
