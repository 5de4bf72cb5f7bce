import base64
import os
from typing import Any

import pytest
from auth.keys import Keyring, Vault
from auth.timers import hold_keys
from contracts import buckets
from servicekit.bus import Bus
from servicekit.db import Database
from sqlalchemy import text

from .conftest import Caller
from .test_operator import environment, ran


async def test_signing_keys_are_rotated_without_a_token_dying_and_the_old_one_ends(
    call: Caller, settings: Any, system: Database, bus: Bus
) -> None:
    token = (await call.register()).body["access_token"]
    code, out, err = await ran("keys", "rotate", env=environment(settings))
    assert (code, err) == (0, "")
    bucket = await bus.bucket(buckets.KEYS)
    (old,) = await bucket.keys()
    keyring = Keyring(settings.vault)
    await hold_keys(system, settings.vault, keyring, bucket)
    assert keyring.current[1] != old
    assert keyring.current[1] in out
    assert len(await bucket.keys()) == 2
    assert (await call.bearing(token)("GET", "/api/auth/me")).status == 200
    async with system.system() as tx:
        await tx.execute(text("update signing_keys set retired_at = now() where retired_at is not null"))
    await hold_keys(system, settings.vault, keyring, bucket)
    assert await bucket.keys() == [keyring.current[1]]


async def test_the_encryption_key_is_changed_with_the_one_before_at_hand(call: Caller, settings: Any, system: Database) -> None:
    fresh = base64.b64encode(os.urandom(32)).decode()
    env = environment(settings, CLARIN_ENCRYPTION_KEY=fresh)
    code, _, err = await ran("encryption", "rotate", env=env)
    assert (code, "CLARIN_ENCRYPTION_KEY is not the one" in err) == (1, True)
    code, out, err = await ran("encryption", "rotate", env={**env, "CLARIN_ENCRYPTION_KEY_PREVIOUS": settings.encryption_key})
    assert (code, err, "1 signing key" in out) == (0, "", True)
    async with system.system() as tx:
        row = (await tx.execute(text("select kid, private from signing_keys"))).one()
    assert len(Vault(base64.b64decode(fresh)).open(row.private, what=row.kid)) == 32


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CLARIN_ENCRYPTION_KEY", base64.b64encode(bytes(range(32))).decode()),
        ("CLARIN_ENCRYPTION_KEY", base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()),
        ("CLARIN_CURSOR_SECRET", "change-me-please-change-me-please"),
        ("CLARIN_CURSOR_SECRET", "c" * 40),
    ],
)
async def test_production_refuses_a_secret_that_anybody_could_guess(settings: Any, variable: str, value: str) -> None:
    good = {
        "CLARIN_ENV": "production",
        "CLARIN_BCRYPT_COST": "12",
        "CLARIN_ENCRYPTION_KEY": base64.b64encode(os.urandom(32)).decode(),
        "CLARIN_CURSOR_SECRET": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }
    code, out, err = await ran(env=environment(settings, **{**good, variable: value}))
    assert (code, err.count("\n")) == (78, 1), out + err
    assert variable in err
    assert value not in err


async def test_mail_by_a_server_needs_a_sender_and_an_address_for_links(settings: Any) -> None:
    code, _, err = await ran(env=environment(settings, CLARIN_SMTP_URL="smtp://127.0.0.1:25"))
    assert code == 78
    assert "CLARIN_MAIL_FROM" in err
    assert "CLARIN_PUBLIC_URL" in err
