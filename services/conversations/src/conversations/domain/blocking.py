"""When a number is ordered to block somebody on WhatsApp, or to do so no more. Pure."""

from dataclasses import dataclass
from typing import Literal

#: A chat of a blocked contact was heard of; a person blocks or unblocks the contact; two contacts became one, with new addresses.
Occasion = Literal["heard", "asked", "merged"]


@dataclass(frozen=True, slots=True)
class OnNumber:
    """How it stands between a contact and one number on WhatsApp.

    Attributes:
        blocked: What was ordered of the number last, or was done on its phone (*by_phone*).
    """

    blocked: bool
    state: Literal["pending", "done", "failed"]
    by_phone: bool


def is_due(present: OnNumber | None, wanted: bool, occasion: Occasion) -> bool:
    """Tell whether the number gets an order. What its own phone said stands until a person asks for something here."""
    if present is None:
        return wanted
    if present.blocked != wanted:
        return occasion == "asked" or not present.by_phone
    return (occasion == "asked" and present.state == "failed") or (occasion == "merged" and wanted)
