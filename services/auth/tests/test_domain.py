from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from auth import domain
from auth.domain import (
    OwnStanding,
    PasswordTooLong,
    RefreshToken,
    RoleTooHigh,
    Session,
    User,
    Verdict,
)
from contracts import ids
from contracts.ids import TenantId, UserId
from contracts.principal import Principal, Role
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
TENANT = TenantId(ids.new())
GRACE = timedelta(seconds=5)


def a_user(**changes: Any) -> User:
    values = {"id": UserId(ids.new()), "tenant": TENANT, "email": "ana@example.com", "name": "Ana", "role": Role.AGENT, "created_at": NOW}
    return User(**{**values, **changes})


def a_caller(role: Role, id: UserId | None = None) -> Principal:
    return Principal(id=id or UserId(ids.new()), tenant=TENANT, role=role)


def a_session(**changes: Any) -> Session:
    values = {"id": ids.new(), "tenant": TENANT, "user": UserId(ids.new()), "client": "token", "created_at": NOW, "used_at": NOW}
    return Session(**{**values, "expires_at": NOW + timedelta(days=30), **changes})


def a_token(**changes: Any) -> RefreshToken:
    return RefreshToken(**{"hash": b"h", "session": ids.new(), "expires_at": NOW + timedelta(days=30), **changes})


@pytest.mark.parametrize(
    ("token", "session", "verdict"),
    [
        (a_token(), a_session(), Verdict.GOOD),
        (a_token(expires_at=NOW), a_session(), Verdict.OVER),
        (a_token(), a_session(closed_at=NOW, reason="logout"), Verdict.OVER),
        (a_token(used_at=NOW - timedelta(seconds=5), successor=b"s"), a_session(), Verdict.TWIN),
        (a_token(used_at=NOW + timedelta(seconds=1), successor=b"s"), a_session(), Verdict.TWIN),
        (a_token(used_at=NOW - timedelta(seconds=5.1), successor=b"s"), a_session(), Verdict.REUSED),
        (a_token(used_at=NOW - timedelta(seconds=1), successor=b"s", successor_used=True), a_session(), Verdict.REUSED),
        (a_token(used_at=NOW - timedelta(days=20), successor=b"s"), a_session(closed_at=NOW, reason="reused"), Verdict.OVER),
    ],
)
def test_a_refresh_token_is_good_once_and_its_return_is_noticed(token: RefreshToken, session: Session, verdict: Verdict) -> None:
    assert token.judge(session, NOW, GRACE) is verdict


def test_the_wait_after_failures_begins_at_the_fifth_doubles_and_has_an_end() -> None:
    seconds = [domain.hold(failures).total_seconds() for failures in range(1, 13)]
    assert seconds == [0, 0, 0, 0, 15, 30, 60, 120, 240, 480, 900, 900]
    assert domain.hold(100_000) == timedelta(minutes=15)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AGENT])
def test_an_admin_neither_makes_nor_touches_an_owner(role: Role) -> None:
    admin = a_caller(Role.ADMIN)
    with pytest.raises(RoleTooHigh):
        domain.may_make(admin, Role.OWNER)
    with pytest.raises(RoleTooHigh):
        a_user(role=role).changed(admin, role=Role.OWNER, active=None, name=None)
    with pytest.raises(RoleTooHigh):
        a_user(role=Role.OWNER).changed(admin, role=role, active=None, name=None)
    with pytest.raises(RoleTooHigh):
        a_user(role=Role.OWNER).changed(admin, role=None, active=None, name="Renamed")


def test_nobody_changes_their_own_standing_but_anybody_their_name() -> None:
    owner = a_user(role=Role.OWNER)
    me = a_caller(Role.OWNER, owner.id)
    with pytest.raises(OwnStanding):
        owner.changed(me, role=Role.AGENT, active=None, name=None)
    with pytest.raises(OwnStanding):
        owner.changed(me, role=None, active=False, name=None)
    renamed = owner.changed(me, role=None, active=None, name="Ana María")
    assert renamed == replace(owner, name="Ana María", version=1)
    assert not renamed.stands_elsewhere(owner)


def test_a_change_that_changes_nothing_raises_no_version() -> None:
    user = a_user(role=Role.AGENT)
    assert user.changed(a_caller(Role.ADMIN), role=Role.AGENT, active=True, name="Ana") is user


def test_another_role_or_standing_raises_the_version() -> None:
    user = a_user()
    for moved in (
        user.changed(a_caller(Role.ADMIN), role=Role.ADMIN, active=None, name=None),
        user.changed(a_caller(Role.ADMIN), role=None, active=False, name=None),
    ):
        assert moved.version == 1
        assert moved.stands_elsewhere(user)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Ana@Example.COM ", "ana@example.com"),
        ("ana@e2e.test", "ana@e2e.test"),
        ("ana+ventas@foo.example", "ana+ventas@foo.example"),
        ("ÑANDÚ@example.com", "ñandú@example.com"),
    ],
)
def test_an_address_is_normalised_and_test_domains_are_welcome(text: str, address: str) -> None:
    assert domain.email(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ana",
        "ana@",
        "@example.com",
        "a@b",
        "ana@example.com\x00",
        "ana\n@example.com",
        "a" * 300 + "@example.com",
        "a@" + "b." * 90_000,
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        domain.email(text)


@given(st.text(max_size=400) | st.emails())
def test_any_text_is_an_address_that_stays_the_same_or_is_refused(text: str) -> None:
    try:
        address = domain.email(text)
    except ValueError:
        return
    assert domain.email(address) == address == address.lower()


@pytest.mark.parametrize("text", ["America/Bogota", "America/Sao_Paulo", "UTC", "Europe/Madrid"])
def test_a_time_zone_is_one_of_ianas(text: str) -> None:
    assert domain.time_zone(text) == text


@pytest.mark.parametrize("text", ["", "Bogota", "../../etc/passwd", "/etc/localtime", "localtime", "America", "UTC\x00"])
def test_what_is_no_time_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        domain.time_zone(text)


def test_a_currency_has_three_letters() -> None:
    assert domain.currency("cop") == "COP"
    for text in ("", "CO", "COPS", "C0P", "ÑÑÑ", "COP\n"):
        with pytest.raises(ValueError, match="ISO 4217"):
            domain.currency(text)


def test_a_password_is_measured_in_bytes_after_normalising() -> None:
    assert domain.password("x" * 72) == "x" * 72
    assert domain.password("n\u0303" * 36) == "ñ" * 36
    for text in ("x" * 73, "ñ" * 37):
        with pytest.raises(PasswordTooLong):
            domain.password(text)


@pytest.mark.parametrize("text", ["", "   ", "x" * 101, "a\x00b", "a\x1bb", "a\ud800b"])
def test_a_name_that_cannot_be_shown_or_stored_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="name"):
        domain.name(text)
