import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from auth.timers import send_mail
from servicekit.db import Database
from servicekit.testing import eventually
from sqlalchemy import text

from .conftest import PASSWORD, Caller, an_owner, let_in
from .mailserver import MailServer, running

FRESH = "another horse battery"


@pytest_asyncio.fixture
async def mailbox() -> AsyncIterator[MailServer]:
    async with running() as server:
        yield server


@pytest.fixture
def mailing(started: Callable[..., Awaitable[Caller]], mailbox: MailServer) -> Callable[[], Awaitable[Caller]]:
    return lambda: started(
        smtp_url=f"smtp://clarin:p%40ss@127.0.0.1:{mailbox.port}",
        mail_from="Clarin <clarin@example.com>",
        public_url="https://clarin.example.com",
    )


def link(message: EmailMessage, path: str) -> str:
    found = re.search(rf"https://clarin\.example\.com{path}=(\S+)", message.get_content())
    assert found is not None
    return found[1]


async def forgot(call: Caller, email: str) -> None:
    answer = await call("POST", "/api/auth/password/forgot", {"email": email})
    assert (answer.status, answer.body) == (202, "")


async def test_a_forgotten_password_is_set_anew_by_the_link_that_was_mailed(
    mailing: Callable[[], Awaitable[Caller]], mailbox: MailServer, system: Database
) -> None:
    call = await mailing()
    signed = (await call.register()).body
    await forgot(call, "nobody@example.com")
    await forgot(call, "Ana@example.com")
    await eventually(lambda: len(mailbox.got) == 1)
    (message,) = mailbox.got
    assert (message["To"], message["From"]) == ("ana@example.com", "Clarin <clarin@example.com>")
    assert "contraseña" in message["Subject"]
    assert mailbox.logins == [("clarin", "p@ss")]
    token = link(message, r"/reset\?token")
    for body, status, code in (
        ({"token": token, "password": "password"}, 422, "weak-password"),
        ({"token": token[:-2] + "AA", "password": FRESH}, 403, "reset-invalid"),
        ({"token": "pr_nonsense", "password": FRESH}, 403, "reset-invalid"),
        ({"token": signed["refresh_token"], "password": FRESH}, 403, "reset-invalid"),
    ):
        refused = await call("POST", "/api/auth/password/reset", body)
        assert (refused.status, refused.code) == (status, code)
    assert (await call("POST", "/api/auth/password/reset", {"token": token, "password": FRESH})).status == 204
    assert (await call.login(password=FRESH)).status == 200
    assert (await call.login()).status == 401
    assert (await call.refresh(signed["refresh_token"])).status == 401
    again = await call("POST", "/api/auth/password/reset", {"token": token, "password": PASSWORD})
    assert (again.status, again.code) == (403, "reset-invalid")

    async def nothing_waits() -> bool:
        async with system.system() as tx:
            return (await tx.execute(text("select count(*) from mails"))).scalar_one() == 0

    await eventually(nothing_waits)


async def test_one_address_is_not_flooded(mailing: Callable[[], Awaitable[Caller]], mailbox: MailServer) -> None:
    call = await mailing()
    await call.register()
    await asyncio.gather(*(forgot(call, "ana@example.com") for _ in range(8)))
    await eventually(lambda: len(mailbox.got) >= 5)
    await let_in(call.bearing((await call.login()).body["access_token"]), "beto@example.com")
    await forgot(call, "beto@example.com")
    await eventually(lambda: mailbox.got[-1]["To"] == "beto@example.com")
    assert len(mailbox.got) == 6


async def test_a_mail_waits_while_the_server_refuses_and_is_given_up_when_it_refuses_for_good(
    mailbox: MailServer, system: Database, db: Database, settings: Any, started: Callable[..., Awaitable[Caller]]
) -> None:
    silent = await started(mail_dir=None)
    await silent.register()
    sending = settings.model_copy(
        update={
            "smtp_url": f"smtp://127.0.0.1:{mailbox.port}",
            "mail_from": "clarin@example.com",
            "public_url": "https://clarin.example.com",
        }
    )
    assert await send_mail(db, system, settings.vault, sending) is False
    mailbox.answer = "450 later"
    asking = await started(smtp_url="smtp://127.0.0.1:1", mail_from="clarin@example.com", public_url="https://clarin.example.com")
    await forgot(asking, "ana@example.com")

    async def row() -> Any:
        async with system.system() as tx:
            return (await tx.execute(text("select attempts, next_at, sealed from mails"))).one_or_none()

    async def tried() -> bool:
        found = await row()
        return found is not None and found.attempts == 1 and found.next_at < datetime.now(UTC) + timedelta(minutes=1)

    await eventually(tried)
    assert b"ana@example.com" not in (await row()).sealed

    async def due() -> None:
        async with system.system() as tx:
            await tx.execute(text("update mails set next_at = now() - interval '1 second'"))

    for answer, waits, got in (("450 later", True, 0), ("550 never", False, 0)):
        mailbox.answer = answer
        await due()
        await eventually(lambda: _tries(db, system, settings, sending, mailbox))
        assert ((await row()) is not None, len(mailbox.got)) == (waits, got)


async def _tries(db: Database, system: Database, settings: Any, sending: Any, mailbox: MailServer) -> bool:
    before = mailbox.asked
    await send_mail(db, system, settings.vault, sending)
    return mailbox.asked > before


async def test_an_invitation_is_mailed_where_there_is_an_address(mailing: Callable[[], Awaitable[Caller]], mailbox: MailServer) -> None:
    call = await mailing()
    owner = await an_owner(call)
    shown = await owner("POST", "/api/invitations", {"email": "beto@example.com"})
    assert shown.body["mailed"] is True
    await eventually(lambda: len(mailbox.got) == 1)
    assert "Panadería Sol" in mailbox.got[0]["Subject"]
    code = link(mailbox.got[0], r"/invite\?code")
    assert shown.body["url"].endswith(code)
    body = {"email": "beto@example.com", "password": PASSWORD, "name": "Beto", "invitation": code}
    assert (await call("POST", "/api/auth/register", body)).status == 201


async def test_without_a_mail_server_a_developer_finds_mails_in_a_folder_and_production_sends_none(
    started: Callable[..., Awaitable[Caller]], tmp_path: Path
) -> None:
    call = await started(mail_dir=tmp_path / "mail")
    await call.register()
    await forgot(call, "ana@example.com")
    await eventually(lambda: len(list((tmp_path / "mail").glob("*.eml"))) == 1)
    (file,) = (tmp_path / "mail").glob("*.eml")
    assert b"http://127.0.0.1:8080/reset?token=3D" in file.read_bytes().replace(b"=\n", b"")
    production = await started(mail_dir=tmp_path / "other", env="production")
    await forgot(production, "ana@example.com")
    assert not (tmp_path / "other").exists()
