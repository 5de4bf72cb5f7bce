"""What somebody looks for, read from what he typed, and where it stands in a text. Pure."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from contracts.errors import Invalid

from conversations.domain.phones import digits_of

LONGEST = 200
"""Characters of a query."""

MOST_TERMS = 12
EXCERPT = 240
"""Characters of an excerpt, beside the signs that something was left out."""

_BEFORE = 60
_MARK = "…"
_WORD = re.compile(r"[^\W_]+")
_TERM = re.compile(r'"([^"]*)(?:"|$)|([^\s"]+)')


class QueryEmpty(Invalid):
    """There is nothing to look for."""

    code = "query-empty"


class Excerpt(NamedTuple):
    """A part of a text, and the ranges of it that were looked for: from, to (characters of *text*, the second not included)."""

    text: str
    hits: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is looked for: all of it, in any order.

    Attributes:
        terms: Words; with spaces between them a phrase, whose words follow each other.
        unfinished: The last term may go on: whoever typed it may still be typing.
        digits: What was typed looks like (a part of) a phone: its digits.
    """

    terms: tuple[str, ...]
    unfinished: bool
    digits: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Give what names and phones have to contain."""
        return (self.digits,) if self.digits else self.terms


def read(query: str) -> Sought:
    """Read *query*: words, and phrases in quotes; every other sign only parts words.  Raises: QueryEmpty."""
    terms: list[str] = []
    unfinished = False
    for found in _TERM.finditer(query.replace("\0", "")):
        words = _WORD.findall(found[1] if found[1] is not None else found[2])
        if words:
            # what was written together, such as a date or an address, is looked for as it was written
            terms.append(" ".join(words))
            unfinished = found[2] is not None
    if not terms:
        raise QueryEmpty("Write a word: letters or digits.")
    digits = digits_of(query)
    return Sought(terms=tuple(terms[:MOST_TERMS]), unfinished=unfinished and len(terms) <= MOST_TERMS, digits=digits)


def excerpt(text: str, sought: Sought, *, within: bool = False) -> Excerpt:
    """Cut the part out of *text* in which the first of what was looked for stands.

    Args:
        within: Also where a word goes on before or after it, as names are looked for.
    """
    ranges = _ranges(text, sought, within)
    first = next(ranges, None)
    start = 0 if first is None else max(0, first[0] - _BEFORE)
    if start:
        start = text.rfind(" ", start - 20, start) + 1 or start
    end = min(len(text), start + EXCERPT)
    shift = start - len(_MARK) if start else 0
    hits = []
    for begin, finish in chain(() if first is None else (first,), ranges):
        if begin >= end:
            break
        hits.append((begin - shift, min(finish, end) - shift))
    return Excerpt((_MARK if start else "") + text[start:end] + (_MARK if end < len(text) else ""), tuple(hits))


def _ranges(text: str, sought: Sought, within: bool) -> Iterator[tuple[int, int]]:
    """Give where in *text* what was looked for stands, in order, none over another."""
    if within:
        yield from _parts(text, tuple(word for term in sought.names for word in plain(term).split()))
        return
    words = ((match.start(), match.end(), plain(match[0])) for match in _WORD.finditer(text))
    phrases = [tuple(plain(term).split()) for term in sought.terms]
    longest = max(map(len, phrases))
    if longest <= 1:
        whole, begun = {word for phrase in phrases for word in phrase}, phrases[-1][0] if sought.unfinished and phrases[-1] else None
        yield from ((begin, end) for begin, end, word in words if word in whole or (begun is not None and word.startswith(begun)))
        return
    last = len(phrases) - 1 if sought.unfinished else -1
    window: list[tuple[int, int, str]] = []
    more = True
    while more or window:
        while more and len(window) < longest:
            following = next(words, None)
            more = following is not None
            if following is not None:
                window.append(following)
        taken = max((len(p) for n, p in enumerate(phrases) if _begins(window, p, n == last)), default=0)
        if taken:
            yield window[0][0], window[taken - 1][1]
        del window[: taken or 1]


def _begins(window: list[tuple[int, int, str]], phrase: tuple[str, ...], unfinished: bool) -> bool:
    if not phrase or len(window) < len(phrase):
        return False
    *whole, end = (word for _, _, word in window[: len(phrase)])
    return tuple(whole) == phrase[:-1] and (end.startswith(phrase[-1]) if unfinished else end == phrase[-1])


def _parts(text: str, words: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    for match in _WORD.finditer(text):
        said = plain(match[0])
        places = [(said.find(word), word) for word in words if word in said and (len(word) > 2 or said.startswith(word))]
        if places:
            at, word = min(places, key=lambda place: (place[0], -len(place[1])))
            # as many characters were folded as there are, or the whole word is meant
            exact = len(said) == match.end() - match.start()
            yield (match.start() + at, match.start() + at + len(word)) if exact else match.span()


def plain(text: str) -> str:
    """Fold *text* as it is searched: small letters without marks."""
    if text.isascii():
        return text.lower()
    parted = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in parted if not unicodedata.combining(c))
