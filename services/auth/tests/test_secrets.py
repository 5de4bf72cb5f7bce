import time
from datetime import UTC, datetime

import pytest
from auth import keys, tokens
from auth.domain import WeakPassword
from auth.keys import Keyring, Vault, WrongEncryptionKey
from auth.passwords import COMPARED, Passwords
from contracts import ids
from contracts.ids import TenantId
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)


def test_a_refresh_token_names_its_tenant_and_its_successor_is_always_the_same() -> None:
    tenant = TenantId(ids.new())
    token = tokens.refresh(tenant)
    one, two = tokens.successor(token, b"k" * 32), tokens.successor(token, b"k" * 32)
    assert one == two != token
    assert tokens.successor(token, b"q" * 32) != one
    assert tokens.read(token) == (tenant, tokens.hashed(token))
    assert tokens.read(one)[0] == tenant
    assert len(token) == len(one) == 67


@given(st.text() | st.binary(max_size=30).map(lambda raw: "rt_" + raw.hex()))
def test_what_is_no_refresh_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        tokens.read(text)


def test_what_is_sealed_opens_as_what_it_was_sealed_and_with_that_key_alone() -> None:
    vault = Vault(b"k" * 32)
    sealed = vault.seal(b"secret", what="one")
    assert vault.open(sealed, what="one") == b"secret"
    assert b"secret" not in sealed
    assert vault.seal(b"secret", what="one") != sealed
    for other, what, text in ((vault, "two", sealed), (Vault(b"q" * 32), "one", sealed), (vault, "one", sealed[:-1] + b"\x00\x00")):
        with pytest.raises(WrongEncryptionKey):
            other.open(text, what=what)


def test_the_newest_key_signs_and_all_are_shown() -> None:
    vault = Vault(b"k" * 32)
    old, new = keys.make(vault, NOW), keys.make(vault, NOW.replace(hour=19))
    keyring = Keyring(vault)
    keyring.hold([new, old])
    assert keyring.current[1] == new.kid
    assert [key["kid"] for key in keyring.public] == [new.kid, old.kid]
    assert all("d" not in key for key in keyring.public)


async def test_comparing_with_nobody_is_the_same_work_and_always_wrong() -> None:
    async with Passwords(cost=4) as passwords:
        hash = await passwords.hash("correct horse battery")
        before = {whose: COMPARED.labels(whose)._value.get() for whose in ("user", "nobody")}
        assert await passwords.matches("correct horse battery", hash)
        assert not await passwords.matches("correct horse", hash)
        assert not await passwords.matches("correct horse battery", None)
        after = {whose: COMPARED.labels(whose)._value.get() for whose in ("user", "nobody")}
    assert after["user"] - before["user"] == 2
    assert after["nobody"] - before["nobody"] == 1


async def test_comparing_with_nobody_takes_as_long() -> None:
    async with Passwords(cost=9) as passwords:
        hash = await passwords.hash("correct horse battery")

        async def seconds(whose: str | None) -> float:
            began = time.process_time()
            for _ in range(3):
                await passwords.matches("incorrect horse battery", whose)
            return time.process_time() - began

        assert 0.5 < await seconds(None) / await seconds(hash) < 2


async def test_a_hash_of_another_cost_is_outdated() -> None:
    async with Passwords(cost=4) as cheap, Passwords(cost=5) as dear:
        hash = await cheap.hash("correct horse battery")
        assert dear.outdated(hash)
        assert not cheap.outdated(hash)
        assert await dear.matches("correct horse battery", hash)


@pytest.mark.parametrize("password", ["short", "password", "12345678", "aaaaaaaaaaaaaaaaaaaaaaaa", "anagomez1", "qwertyuiop"])
async def test_a_password_that_is_soon_guessed_is_refused(password: str) -> None:
    async with Passwords(cost=4) as passwords:
        with pytest.raises(WeakPassword) as refused:
            await passwords.judge(password, ["ana@example.com", "anagomez"])
    assert "suggestions" in refused.value.members


async def test_a_long_password_made_to_be_slow_is_judged_by_its_beginning() -> None:
    async with Passwords(cost=4) as passwords:
        await passwords.judge("4@8({[<3690!1|70$5+%2x" * 3, [])
