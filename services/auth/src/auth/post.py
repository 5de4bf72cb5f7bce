"""Mail leaves: by a mail server, or, on a developer's machine, into a folder. Blocking: call it beside the event loop."""

import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote, urlsplit

_TIMEOUT_SECONDS = 10
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Undeliverable(Exception):
    """The mail server will never take this one."""


class NotEncrypted(OSError):
    """The mail server offers no encryption, and a password would be read on the way."""


def deliver(url: str, message: EmailMessage, trusted: Path | None = None) -> None:
    """The mail server at *url* has taken *message*.

    Args:
        url: ``smtp://user:password@host:port`` (encrypted where the server offers it), ``smtps://`` (encrypted from the start).
        trusted: Certificates of authorities that vouch for the server, besides those that the system trusts.

    Raises:
        Undeliverable: It refused for good.
        OSError, smtplib.SMTPException: It is away, or refused for now.
    """
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    context = ssl.create_default_context()
    if trusted is not None:
        context.load_verify_locations(trusted)
    secure = parts.scheme == "smtps"
    with (
        smtplib.SMTP_SSL(host, parts.port or 465, timeout=_TIMEOUT_SECONDS, context=context)
        if secure
        else smtplib.SMTP(host, parts.port or 587, timeout=_TIMEOUT_SECONDS)
    ) as server:
        server.ehlo()
        if not secure and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        elif not secure and parts.username and host not in _LOOPBACK:
            raise NotEncrypted("No STARTTLS.")
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        try:
            server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refused:
            if all(code >= 500 for code, _ in refused.recipients.values()):
                raise Undeliverable from None
            raise
        except smtplib.SMTPResponseException as refused:
            if refused.smtp_code >= 500:
                raise Undeliverable from None
            raise


def keep(folder: Path, name: str, message: EmailMessage) -> None:
    """*message* lies in *folder* as ``name.eml``, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f".{name}.part"
    half.write_bytes(message.as_bytes())
    half.rename(folder / f"{name}.eml")
