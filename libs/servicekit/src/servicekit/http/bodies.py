"""What comes in and goes out: bodies that refuse what they do not know, texts that Postgres can store, pages."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

T = TypeVar("T")

PAGE = 50
PAGE_MAX = 100


def _storable(text: str | None) -> str | None:
    if text is not None and "\x00" in text:  # Postgres stores every character but this one
        raise ValueError("A text cannot hold the character U+0000.")
    return text


Storable = AfterValidator(_storable)

#: A line that a person or a program wrote: 1 to 500 characters.
Text = Annotated[str, StringConstraints(min_length=1, max_length=500), Storable]

#: The name of something: 1 to 100 characters, without spaces around it.
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Storable]

#: As long as WhatsApp lets a text be.
LongText = Annotated[str, StringConstraints(min_length=1, max_length=65_536), Storable]


class Body(BaseModel):
    """A request's JSON object: an unknown member is refused, and so is a number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class Page(BaseModel, Generic[T]):
    """A part of a list.

    Attributes:
        next_cursor: Give it back as ``cursor`` for the part that follows; null at the end.
    """

    items: list[T]
    next_cursor: str | None = None


Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="How many items at most.")]
Cursor = Annotated[str | None, Query(max_length=1000, description="The `next_cursor` of the page before.")]
