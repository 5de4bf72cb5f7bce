"""A small mail server: it speaks SMTP, keeps what it gets, and refuses when told to."""

import asyncio
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import cast


@dataclass
class MailServer:
    """What it got, and what it answers to a recipient."""

    port: int = 0
    answer: bytes = b"250 fine"
    asked: int = 0
    logins: list[str] = field(default_factory=list)
    got: list[EmailMessage] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        try:
            while line := await reader.readline():
                match line.split()[0].upper():
                    case b"EHLO":
                        writer.write(b"250-here\r\n250 AUTH PLAIN\r\n")
                    case b"AUTH":
                        self.logins.append(line.split()[-1].decode())
                        writer.write(b"235 welcome\r\n")
                    case b"RCPT":
                        self.asked += 1
                        writer.write(self.answer + b"\r\n")
                    case b"DATA":
                        writer.write(b"354 go on\r\n")
                        lines = []
                        while (text := await reader.readline()) != b".\r\n":
                            lines.append(text.removeprefix(b".") if text.startswith(b"..") else text)
                        message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                        self.got.append(cast(EmailMessage, message))
                        writer.write(b"250 kept\r\n")
                    case b"QUIT":
                        writer.write(b"221 bye\r\n")
                        break
                    case _:
                        writer.write(b"250 fine\r\n")
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()


@asynccontextmanager
async def running() -> AsyncIterator[MailServer]:
    """A mail server listens on loopback."""
    kept = MailServer()
    server = await asyncio.start_server(kept.talk, "127.0.0.1", 0)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        server.close()
