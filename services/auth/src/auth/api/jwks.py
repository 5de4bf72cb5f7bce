"""The public keys, for who wants to verify a token and is not on the bus."""

from fastapi import APIRouter, Response

from auth.api.parts import WithParts
from auth.api.shapes import Jwks

router = APIRouter(tags=["auth"])


@router.get("/.well-known/jwks.json")
async def jwks(response: Response, parts: WithParts) -> Jwks:
    """List the public keys whose tokens are good."""
    response.headers["Cache-Control"] = "public, max-age=60"
    return Jwks(keys=[dict(key) for key in parts.keyring.public])
