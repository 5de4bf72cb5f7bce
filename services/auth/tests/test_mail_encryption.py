"""Mail goes out encrypted wherever a server can do that, and a password never goes out otherwise."""

import asyncio
import smtplib
import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import trustme
from auth.post import NotEncrypted, deliver

from .mailserver import MailServer, running


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


@pytest.fixture
def identity(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest_asyncio.fixture(params=["smtp", "smtps"])
async def server(request: pytest.FixtureRequest, identity: ssl.SSLContext) -> AsyncIterator[tuple[str, MailServer]]:
    """A server that demands encryption, each of the two ways, and its address without a name and a password."""
    way: dict[str, Any] = {"smtp": {"starttls": identity}, "smtps": {"tls": identity}}[request.param]
    async with running(**way) as kept:
        yield f"{request.param}://{{login}}127.0.0.1:{kept.port}", kept


def a_mail() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "clarin@example.com", "ana@example.com", "Una nueva contraseña"
    message.set_content("Abre este enlace.")
    return message


async def sent(url: str, trusted: Path | None) -> None:
    await asyncio.to_thread(deliver, url, a_mail(), trusted)


async def test_a_mail_goes_out_encrypted_by_starttls_and_from_the_start(server: tuple[str, MailServer], trusted: Path) -> None:
    url, kept = server
    await sent(url.format(login="clarin:p%40ss@"), trusted)
    assert [message["To"] for message in kept.got] == ["ana@example.com"]
    assert kept.got[0]["Subject"] == "Una nueva contraseña"
    assert kept.encrypted == [True]
    assert kept.logins == [("clarin", "p@ss")]


async def test_a_server_whose_certificate_nobody_vouches_for_gets_neither_mail_nor_password(server: tuple[str, MailServer]) -> None:
    url, kept = server
    with pytest.raises(ssl.SSLCertVerificationError):
        await sent(url.format(login="clarin:p%40ss@"), None)
    assert (kept.got, kept.logins) == ([], [])


async def test_a_server_with_another_ones_certificate_gets_neither_mail_nor_password(authority: trustme.CA, trusted: Path) -> None:
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mail.example.com").configure_cert(other)
    async with running(starttls=other) as kept:
        with pytest.raises(ssl.SSLCertVerificationError):
            await sent(f"smtp://clarin:p%40ss@127.0.0.1:{kept.port}", trusted)
    assert (kept.got, kept.logins) == ([], [])


async def test_a_wrong_password_is_a_fault_that_may_be_mended_later(server: tuple[str, MailServer], trusted: Path) -> None:
    url, kept = server
    with pytest.raises(smtplib.SMTPAuthenticationError):
        await sent(url.format(login="clarin:other@"), trusted)
    assert kept.got == []
    assert set(kept.logins) == {("clarin", "other")}


async def test_a_password_never_goes_in_the_clear_to_another_machine(trusted: Path) -> None:
    """127.0.0.2 stands for one: only this machine's own names are trusted to have nobody between."""
    async with running(host="127.0.0.2") as kept:
        with pytest.raises(NotEncrypted):
            await sent(f"smtp://clarin:p%40ss@127.0.0.2:{kept.port}", trusted)
        assert (kept.got, kept.logins) == ([], [])
        await sent(f"smtp://127.0.0.2:{kept.port}", trusted)
    assert kept.encrypted == [False]
