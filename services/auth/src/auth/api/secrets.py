"""Answers with a secret in them: shown once, and again only to who repeats the request with its Idempotency-Key."""

from fastapi import Response
from servicekit.db import Tx
from servicekit.idempotency import Idempotency, Stored

from auth.domain import SecretGone
from auth.keys import Vault, WrongEncryptionKey

_ANSWER = "answer"
_HEADERS = {"Cache-Control": "no-store"}


async def finish(tx: Tx, idem: Idempotency, vault: Vault, status: int, body: bytes) -> Response:
    """Keep the answer sealed, and give it as it is."""
    await idem.finish(tx, status, vault.seal(body, what=_ANSWER))
    return Response(body, status, _HEADERS, media_type="application/json")


def again(stored: Stored, vault: Vault) -> Response:
    """Give the answer again.  Raises: SecretGone: the installation has another encryption key by now."""
    try:
        body = vault.open(stored.body, what=_ANSWER)
    except WrongEncryptionKey:
        raise SecretGone("Make another one.") from None
    return Response(body, stored.status, {**_HEADERS, "Idempotency-Replayed": "true"}, media_type="application/json")
