"""How often somebody may ask: a quota for each class of routes, by address and by caller. Pure, but for the clock.

The generic cell rate algorithm (ITU-T I.371): of each subject one number is kept, the time until which its quota is spent. What was
spent is also kept until `tally` has told it to the other replicas.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Self
from uuid import UUID

from contracts import routes
from contracts.errors import RateLimited

from gateway.domain import SAFE
from gateway.requests import Request

#: What floating point takes away of a request or a second is forgiven.
_GRAIN = 1e-6

#: Subjects that are remembered for each quota; who comes after that pushes the oldest out.
_SUBJECTS = 50_000

#: Classes that guard secrets: each request is agreed upon with the other replicas before it passes.
STRICT = frozenset({"login", "register", "refresh", "recover"})

_CLASSES = {
    "/api/auth/login": "login",
    "/api/auth/register": "register",
    "/api/auth/refresh": "refresh",
    "/api/auth/logout": "writes",
    "/api/auth/password": "login",  # it tells whether a guessed password is the right one
}
_SENDS = "/api/messages/send"

_UNITS = {"s": 1, "m": 60, "h": 3600}
_RATE = re.compile(r"([0-9]{1,7})/([smh])\+([0-9]{1,7})")

#: One address may be a whole office.
SHARED_BY = 4


def classify(method: bytes, path: str) -> str:
    """Name the class of a request to a service; what is anonymous and nowhere named counts as a way to guess a secret."""
    known = _CLASSES.get(path)
    if known is not None:
        return known
    if method in SAFE:
        return "reads"
    if path in routes.ANONYMOUS:
        return "recover"
    return "sends" if path.startswith(_SENDS) else "writes"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a second, in the long run, and so many at once."""

    per_s: float
    burst: float

    @classmethod
    def read(cls, text: str) -> Self:
        """Read ``50/s+200`` (or ``/m``, ``/h``).  Raises: ValueError."""
        found = _RATE.fullmatch(text)
        if found is None or not int(found[1]) or not int(found[3]):
            raise ValueError("not a rate")
        return cls(int(found[1]) / _UNITS[found[2]], int(found[3]))

    def times(self, factor: float) -> Self:
        """Give a rate that is *factor* times as generous."""
        return type(self)(self.per_s * factor, max(1.0, self.burst * factor))


Subject = str | UUID


class Spent:
    """What one subject has spent of one quota: all of it *until* then; *untold* of it is not known to the other replicas."""

    __slots__ = ("until", "untold")

    def __init__(self) -> None:
        self.until = 0.0
        self.untold = 0


class Quota:
    """The quota of one class, by address or by caller.

    Attributes:
        name: As clients and other replicas know it.
        interval: Seconds that one request costs.
        span: Seconds of cost that may be open at once.
        spent: By subject.
    """

    def __init__(self, name: str, rate: Rate) -> None:
        self.name = name
        self.interval = 1 / rate.per_s
        self.span = math.floor(rate.burst) * self.interval
        self.spent: dict[Subject, Spent] = {}
        self._policy = b'ratelimit-policy: "%b";q=%d;w=%d\r\nratelimit: "%b";r=' % (
            name.encode(),
            math.floor(rate.burst),
            math.ceil(self.span),
            name.encode(),
        )

    def of(self, subject: Subject) -> Spent:
        """Give what *subject* has spent."""
        spent = self.spent.get(subject)
        if spent is None:
            if len(self.spent) >= _SUBJECTS:
                del self.spent[next(iter(self.spent))]
            spent = self.spent[subject] = Spent()
        return spent

    def left(self, spent: Spent, now: float) -> int:
        """Count the requests that may come right now."""
        open_s = spent.until - now
        return int((self.span - max(0.0, open_s)) / self.interval + _GRAIN)

    def told(self, spent: Spent, now: float) -> bytes:
        """Write the lines that tell a client where it stands (draft-ietf-httpapi-ratelimit-headers-10)."""
        return b"%b%d;t=%d\r\n" % (self._policy, max(0, self.left(spent, now)), max(0, math.ceil(spent.until - now - _GRAIN)))

    def refuse(self, spent: Spent, now: float) -> RateLimited:
        """Make the problem for a subject that has nothing left."""
        wait = max(1, math.ceil(spent.until - now + self.interval - self.span - _GRAIN))
        return RateLimited(
            f"There is nothing left of the quota {self.name}: try again in {wait} s.",
            headers={"Retry-After": str(wait)},
            quota=self.name,
            retry_after=wait,
        )

    def sweep(self, now: float) -> None:
        """Forget who has everything again."""
        for subject in [subject for subject, spent in self.spent.items() if spent.until <= now and not spent.untold]:
            del self.spent[subject]


Part = tuple[Quota, Subject, Spent]


class Visit:
    """One request on its way past the quotas: its address first, its caller when that is known, then the cost of both.

    Attributes:
        strict: The other replicas have to agree.
        parts: Who pays.
    """

    __slots__ = ("_kind", "_now", "_rates", "_request", "parts", "strict")

    def __init__(self, rates: "Rates", request: Request, kind: str, *, strict: bool) -> None:
        self._rates = rates
        self._request = request
        self._kind = kind
        self._now = rates.now()
        self.parts: list[Part] = []
        self.strict = strict

    def caller(self, subject: Subject) -> None:
        """Count the caller too.  Raises: RateLimited: it has nothing left, and nobody is charged."""
        quota = self._rates.callers.get(self._kind)
        if quota is not None:
            self.by(quota, subject)

    def by(self, quota: Quota, subject: Subject) -> None:
        """Count *subject* too.  Raises: RateLimited: it has nothing left, and nobody is charged."""
        spent = quota.of(subject)
        if quota.left(spent, self._now) < 1:
            raise self._refused(quota, spent)
        self.parts.append((quota, subject, spent))

    def again(self) -> None:
        """Look once more, after a wait.  Raises: RateLimited."""
        parts, self.parts = self.parts, []
        self._now = self._rates.now()
        for quota, subject, _ in parts:
            self.by(quota, subject)

    def pay(self, *, tell: bool = True) -> None:
        """Charge everyone, and have it told to the other replicas where they do not know it."""
        now = self._now
        for part in self.parts:
            quota, _, spent = part
            spent.until = max(now, spent.until) + quota.interval
            if tell:
                if not spent.untold:
                    self._rates.tell(part)
                spent.untold += 1
        self.show()

    def show(self) -> None:
        """Tell the client about the quota with the least left."""
        tightest, least = None, math.inf
        for quota, _, spent in self.parts:
            left = quota.left(spent, self._now)
            if left < least:
                tightest, least = (quota, spent), left
        if tightest is not None:
            self._request.rate = tightest[0].told(tightest[1], self._now)

    def refused(self) -> RateLimited:
        """Make the problem for who has the least left."""
        quota, _, spent = max(self.parts, key=lambda part: part[2].until - part[0].span)
        return self._refused(quota, spent)

    def _refused(self, quota: Quota, spent: Spent) -> RateLimited:
        self._request.rate = quota.told(spent, self._now)
        return quota.refuse(spent, self._now)


class Rates:
    """Every quota.

    Attributes:
        callers, addresses: The quotas, by class.
        untold: What the other replicas do not know yet, each subject once.
        wake: Called when there is something to tell again.
    """

    def __init__(self, rates: Mapping[str, Rate], now: Callable[[], float]) -> None:
        """Know the rate of each class; *now* is a clock that never goes back."""
        self.now = now
        self.untold: list[Part] = []
        self.wake: Callable[[], None] = lambda: None
        self.callers = {name: Quota(name, rate) for name, rate in rates.items()}
        # A way to guess a secret has nobody behind it but the address: there, nothing is shared.
        self.addresses = {name: Quota(f"{name}-address", rate if name in STRICT else rate.times(SHARED_BY)) for name, rate in rates.items()}

    def visit(self, request: Request) -> Visit:
        """Start with the address of *request*.  Raises: RateLimited."""
        kind = classify(request.method, request.path)
        quota = self.addresses.get(kind)
        visit = Visit(self, request, kind, strict=quota is not None and kind in STRICT)
        if quota is not None:
            visit.by(quota, _network(request.address))
        return visit

    def tell(self, part: Part) -> None:
        """Have *part* told soon."""
        self.untold.append(part)
        if len(self.untold) == 1:
            self.wake()

    def sweep(self) -> None:
        """Forget who has everything again."""
        now = self.now()
        for quota in self.quotas():
            quota.sweep(now)

    def quotas(self) -> Iterable[Quota]:
        """List every quota."""
        return (*self.callers.values(), *self.addresses.values())


@lru_cache(8192)
def _network(address: str) -> str:
    """Name who an address stands for: who has one IPv6 address has 2^64 of them."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return address
