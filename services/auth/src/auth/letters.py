"""What is mailed: orders as they wait, sealed, and letters in the account's language. No I/O."""

from email.message import EmailMessage
from email.utils import format_datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from contracts import ids

from auth.keys import Vault

_WHAT = "mail"


class Invite(msgspec.Struct, frozen=True, kw_only=True, tag="invite"):
    """Tell somebody that they are invited into an account."""

    to: str
    locale: str
    account: str
    link: str


class Reset(msgspec.Struct, frozen=True, kw_only=True, tag="reset"):
    """Give somebody a link to a new password, if they are here at all."""

    to: str


Order = Invite | Reset
_orders: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)


class _Words(NamedTuple):
    subject: str
    text: str


_INVITE = {
    "es": _Words(
        "Te invitaron a {account}",
        "Hola:\n\nTe invitaron a {account} en Clarin. Abre este enlace para entrar:\n\n{link}\n\nSirve una sola vez.\n",
    ),
    "pt": _Words(
        "Você foi convidado para {account}",
        "Olá,\n\nVocê foi convidado para {account} no Clarin. Abra este link para entrar:\n\n{link}\n\nEle vale uma única vez.\n",
    ),
    "en": _Words(
        "You are invited to {account}",
        "Hello,\n\nYou are invited to {account} on Clarin. Open this link to join:\n\n{link}\n\nIt is good once.\n",
    ),
}
_RESET = {
    "es": _Words(
        "Una nueva contraseña para Clarin",
        "Hola {name}:\n\nAbre este enlace para elegir una nueva contraseña. Sirve una sola vez, durante una hora:\n\n{link}\n\n"
        "Si no la pediste, no hagas nada: tu contraseña sigue siendo la misma.\n",
    ),
    "pt": _Words(
        "Uma nova senha para o Clarin",
        "Olá {name},\n\nAbra este link para escolher uma nova senha. Ele vale uma única vez, por uma hora:\n\n{link}\n\n"
        "Se você não a pediu, não faça nada: sua senha continua a mesma.\n",
    ),
    "en": _Words(
        "A new password for Clarin",
        "Hello {name},\n\nOpen this link to choose a new password. It is good once, for one hour:\n\n{link}\n\n"
        "If you did not ask for it, do nothing: your password stays as it is.\n",
    ),
}


def seal(vault: Vault, order: Order) -> bytes:
    """Seal an order for the table in which it waits."""
    return vault.seal(msgspec.json.encode(order), what=_WHAT)


def open(vault: Vault, sealed: bytes) -> Order:
    """Read an order.  Raises: WrongEncryptionKey."""
    return _orders.decode(vault.open(sealed, what=_WHAT))


def reseal(vault: Vault, sealed: bytes) -> bytes:
    """Seal an order anew.  Raises: WrongEncryptionKey."""
    return vault.seal(vault.open(sealed, what=_WHAT), what=_WHAT)


def invitation(order: Invite) -> tuple[str, str]:
    """Write subject and text."""
    words = _INVITE.get(order.locale, _INVITE["en"])
    return words.subject.format(account=order.account), words.text.format(account=order.account, link=order.link)


def reset(locale: str, name: str, link: str) -> tuple[str, str]:
    """Write subject and text."""
    words = _RESET.get(locale, _RESET["en"])
    return words.subject, words.text.format(name=name, link=link)


def written(id: UUID, sender: str, to: str, subject: str, text: str) -> EmailMessage:
    """Make the mail; sent twice it is one for who compares Message-IDs."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(ids.made_at(id))
    message["Message-ID"] = f"<{id}@{sender.rpartition('@')[2].strip('> ') or 'clarin'}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message
