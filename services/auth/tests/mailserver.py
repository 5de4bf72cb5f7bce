"""A real mail server on loopback that keeps what it gets, and refuses when told to."""

import asyncio
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class MailServer:
    """What it got, and what it answers to a recipient.

    Attributes:
        encrypted: Of each mail, whether it came over an encrypted connection.
    """

    port: int = 0
    answer: str = "250 fine"
    asked: int = 0
    logins: list[tuple[str, str]] = field(default_factory=list)
    got: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    def login(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        if isinstance(data, LoginPassword):
            self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=self.logins[-1:] == [("clarin", "p@ss")], handled=False)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        self.asked += 1
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        self.got.append(cast(EmailMessage, email.message_from_bytes(content, policy=email.policy.default)))
        return "250 kept"


@asynccontextmanager
async def running(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[MailServer]:
    """A mail server listens: encrypted on demand with *starttls*, or from the start with *tls*; then it takes mail in no other way."""
    kept = MailServer()

    def protocol() -> SMTP:
        return SMTP(
            kept,
            hostname="mail.example.com",
            require_starttls=starttls is not None,
            tls_context=starttls,
            authenticator=kept.login,
            auth_require_tls=starttls is not None,
            auth_required=starttls is not None,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(protocol, host, 0, ssl=tls)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        server.close()
