"""Phone numbers as people write them."""

import re

from conversations.domain.errors import PhoneInvalid

_WRITTEN = re.compile(r"\+?[0-9()\-. \u00a0]+")
_SEPARATORS = re.compile(r"[+()\-. \u00a0]")
SHORTEST, LONGEST = 7, 15


def parse(text: str) -> str:
    """Read the digits of an international number; ``+``, spaces, dashes, dots and brackets may stand in it.

    Raises: PhoneInvalid: anything else stands in it, or it has fewer than 7 or more than 15 digits (ITU-T E.164).
    """
    written = text.strip()
    digits = _SEPARATORS.sub("", written)
    if not _WRITTEN.fullmatch(written) or not SHORTEST <= len(digits) <= LONGEST:
        raise PhoneInvalid(f"A phone number has {SHORTEST} to {LONGEST} digits with the country code, such as +55 11 91234-5678.")
    return digits


def digits_of(query: str) -> str | None:
    """Read what somebody searches as the beginning of a number; None when it looks like none."""
    written = query.strip()
    return _SEPARATORS.sub("", written) or None if _WRITTEN.fullmatch(written) else None
