"""Answers whose shapes are msgspec structs of contracts: written without pydantic, documented all the same."""

from typing import Any

import msgspec
from starlette.responses import Response

from servicekit.http import documents

_encoder = msgspec.json.Encoder()


class Json(Response):
    """A value as JSON, written by msgspec: ``return Json({"items": messages, "next_cursor": None})``."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write *content*, unless it is bytes, which are JSON already."""
        return content if isinstance(content, bytes) else _encoder.encode(content)


def answer(shape: Any, *, status: int = 200, page: bool = False, description: str = "It is done.") -> dict[int | str, dict[str, Any]]:
    """Document that a route answers with *shape*, a msgspec struct; with *page*, with a page of them.

    ``responses=answer(Message, page=True) | problems(ChatMissing)``
    """
    schema = documents.shape(shape)
    if page:
        schema = {
            "type": "object",
            "required": ["items", "next_cursor"],
            "properties": {
                "items": {"type": "array", "items": schema},
                "next_cursor": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
        }
    return {status: {"description": description, "content": {"application/json": {"schema": schema}}}}
