import base64
import os
from typing import Any

import pytest
from auth import store
from auth.keys import Keyring, Vault, WrongEncryptionKey
from auth.settings import AuthSettings
from auth.timers import hold_keys
from contracts import buckets
from pydantic import ValidationError
from servicekit.bus import Bus
from servicekit.db import Database
from sqlalchemy import text

from .conftest import Caller, Order


async def test_signing_keys_are_rotated_without_a_token_dying_and_the_old_one_ends(
    call: Caller, settings: Any, system: Database, bus: Bus, order: Order
) -> None:
    token = (await call.register()).body["access_token"]
    code, out, err = await order("keys", "rotate")
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


async def test_the_encryption_key_is_changed_with_the_one_before_at_hand(
    call: Caller, settings: Any, system: Database, order: Order
) -> None:
    fresh = base64.b64encode(os.urandom(32)).decode()
    with pytest.raises(WrongEncryptionKey):
        async with system.system() as tx:
            await store.installation.reseal(tx, Vault(base64.b64decode(fresh)))
    keys = {"CLARIN_ENCRYPTION_KEY": fresh, "CLARIN_ENCRYPTION_KEY_PREVIOUS": settings.encryption_key}
    code, out, err = await order("encryption", "rotate", **keys)
    assert (code, err, "1 signing key" in out) == (0, "", True)
    async with system.system() as tx:
        row = (await tx.execute(text("select kid, private from signing_keys"))).one()
    assert len(Vault(base64.b64decode(fresh)).open(row.private, what=row.kid)) == 32


def in_production(**changes: Any) -> dict[str, Any]:
    return {
        "env": "production",
        "database_url": "postgresql://auth:x@127.0.0.1/clarin",
        "system_database_url": "postgresql://auth_system:x@127.0.0.1/clarin",
        "nats_url": "nats://127.0.0.1:4222",
        "redis_url": "redis://127.0.0.1",
        "encryption_key": base64.b64encode(os.urandom(32)).decode(),
        "cursor_secret": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        **changes,
    }


def refused(**changes: Any) -> set[str]:
    with pytest.raises(ValidationError) as found:
        AuthSettings(**in_production(**changes))
    return {str(error["loc"][0]) for error in found.value.errors()}


def test_production_takes_random_secrets():
    assert AuthSettings(**in_production()).env == "production"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encryption_key", base64.b64encode(bytes(range(32))).decode()),
        ("encryption_key", base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()),
        ("encryption_key", "A" * 43 + "="),
        ("cursor_secret", "change-me-please-change-me-please"),
        ("cursor_secret", "c" * 40),
    ],
)
def test_production_refuses_a_secret_that_anybody_could_guess(name: str, value: str):
    assert refused(**{name: value}) == {name}
    assert AuthSettings(**in_production(**{name: value, "env": "development"}))


def test_mail_by_a_server_needs_a_sender_and_an_address_for_links():
    assert refused(smtp_url="smtp://127.0.0.1:25") == {"mail_from", "public_url"}
    assert refused(smtp_url="http://127.0.0.1:25") == {"smtp_url"}
    complete = in_production(smtp_url="smtps://mail.example.com", mail_from="a@example.com", public_url="https://clarin.example.com/")
    assert AuthSettings(**complete).address == "https://clarin.example.com"
