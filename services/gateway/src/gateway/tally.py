"""What every replica has let pass, counted together in Valkey: one call of one script for all subjects.

What guards a secret is agreed upon before it passes (`take`). Everything else passes by what this replica knows, and is told to the
others a twentieth of a second later: together they may once let pass a burst each, and the debt is then known to all. With Valkey
away each replica goes on by what it knows; nobody waits for a Valkey that hangs more than once.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Sequence
from itertools import repeat

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Gauge
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from gateway.rates import Part, Rates, Visit

_TELL_S = 0.05
_SWEEP_S = 5.0
_CALL = 500  # subjects in one call: Valkey does nothing else meanwhile
_RETRY_S = (0.5, 5.0)

_MICRO = 1_000_000

#: Times in microseconds of Valkey's own clock, the only one that all replicas share. Answers whether all of it was free, then for each
#: subject how far ahead of now it is spent.
_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local before = redis.call('MGET', unpack(KEYS))
local result = {1}
for i = 1, #KEYS do
  local ahead = (tonumber(before[i]) or now) - now
  if ahead < 0 then ahead = 0 end
  result[i + 1] = ahead
  if ahead + tonumber(ARGV[2 * i]) > tonumber(ARGV[2 * i + 1]) then result[1] = 0 end
end
if result[1] == 1 or ARGV[1] == 'tell' then
  for i = 1, #KEYS do
    local ahead = result[i + 1] + tonumber(ARGV[2 * i])
    redis.call('SET', KEYS[i], string.format('%.0f', now + ahead), 'PX', math.ceil(ahead / 1000) + 1)
    result[i + 1] = ahead
  end
end
return result
"""

_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()  # EVALSHA names a script so

log = structlog.get_logger()


class Tally:
    """The common count.

    Attributes:
        shared: Valkey answers.
    """

    def __init__(self, url: str, rates: Rates, *, wait_s: float = 0.05, registry: CollectorRegistry = REGISTRY) -> None:
        """Know where Valkey is; nothing is opened yet. It is taken to be away when it lets somebody wait for *wait_s*."""
        self._rates = rates
        self._redis: Redis = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0), protocol=2)
        self._wait_s = wait_s
        self._takes: list[tuple[Visit, asyncio.Future[bool | None]]] = []
        self._taking: asyncio.Task[None] | None = None
        self._waking = asyncio.Event()
        rates.wake = self._waking.set
        self._pause = _RETRY_S[0]
        self._gauge = Gauge(
            "clarin_gateway_limits_shared", "1 while rate limits are counted together with the other replicas.", registry=registry
        )
        self.shared = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Tell what was spent, until *stopping*; with Valkey away, look for it again and again."""
        loop = asyncio.get_running_loop()
        ending = asyncio.create_task(stopping.wait())
        swept = loop.time()
        self.shared = await self._back()  # the first who signs in does not wait for a connection
        try:
            while not stopping.is_set():
                waking = asyncio.create_task(self._waking.wait())
                await asyncio.wait([waking, ending], timeout=_SWEEP_S if self.shared else 0, return_when=asyncio.FIRST_COMPLETED)
                waking.cancel()
                await asyncio.wait([ending], timeout=_TELL_S if self.shared else self._pause)
                if self.shared or await self._back():
                    await self._tell()
                if loop.time() - swept > _SWEEP_S:
                    self._rates.sweep()
                    swept = loop.time()
        finally:
            ending.cancel()
            if self.shared:
                await self._tell()
            with contextlib.suppress(RedisError, OSError):
                await self._redis.aclose()

    async def _tell(self) -> None:
        self._waking.clear()
        parts, self._rates.untold = self._rates.untold, []
        for start in range(0, len(parts), _CALL):
            some = parts[start : start + _CALL]
            costs = [spent.untold for _, _, spent in some]
            # What passes during the call goes into the next one.
            for _, _, spent in some:
                spent.untold = 0
            if self.shared:
                await self._call("tell", [(some, costs)])

    async def _back(self) -> bool:
        """Tell whether Valkey answers again; what was spent while it did not stays this replica's own."""
        for _, _, spent in self._rates.untold:
            spent.untold = 0
        self._rates.untold.clear()
        self._waking.clear()
        try:
            async with asyncio.timeout(1):
                await self._redis.ping()
        except (RedisError, OSError, TimeoutError):
            self._pause = min(self._pause * 2, _RETRY_S[1])
            return False
        if not self.shared:
            log.info("limits are counted together")
        self.shared = True
        self._gauge.set(1)
        return True

    async def take(self, visit: Visit) -> None:
        """Charge *visit*, if the quotas of all replicas together allow it.  Raises: RateLimited."""
        granted = None
        if self.shared:
            visit.again()
            answer = asyncio.get_running_loop().create_future()
            self._takes.append((visit, answer))
            if self._taking is None:
                self._taking = asyncio.create_task(self._take())
            granted = await answer
        if granted is None:
            visit.again()
            visit.pay(tell=False)
            return
        if not granted:
            visit.again()
            # The answer is a little older than this: what has come free meanwhile is the next one's.
            raise visit.refused()
        visit.show()

    async def _take(self) -> None:
        """Ask for everybody who waits, in one round trip; then for who came meanwhile."""
        while self._takes:
            some, self._takes = self._takes[:_CALL], self._takes[_CALL:]
            answers = await self._call("take", [(visit.parts, [1] * len(visit.parts)) for visit, _ in some]) if self.shared else None
            for (_, answer), granted in zip(some, answers if answers is not None else repeat(None), strict=False):
                if not answer.done():
                    answer.set_result(granted)
        self._taking = None

    async def _call(self, how: str, calls: Sequence[tuple[Sequence[Part], Sequence[int]]]) -> list[bool] | None:
        """Run the script once for each of *calls* (who, and how much) and learn from it; None when Valkey does not answer."""
        asked = self._rates.now()
        try:
            async with asyncio.timeout(self._wait_s):
                try:
                    answers = await self._scripts(how, calls)
                except NoScriptError:
                    await self._redis.script_load(_SCRIPT)
                    answers = await self._scripts(how, calls)
        except (RedisError, OSError, TimeoutError) as error:
            if self.shared:
                log.warning("limits are each replica's own for now", reason=type(error).__name__)
                self.shared = False
                self._gauge.set(0)
                self._pause = _RETRY_S[0]
                self._waking.set()
            return None
        for (parts, _), answer in zip(calls, answers, strict=True):
            for (quota, _, spent), ahead in zip(parts, answer[1:], strict=True):
                spent.until = max(spent.until, asked + ahead / _MICRO + spent.untold * quota.interval)
        return [answer[0] == 1 for answer in answers]

    async def _scripts(self, how: str, calls: Sequence[tuple[Sequence[Part], Sequence[int]]]) -> list[list[int]]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for parts, costs in calls:
                keys = [f"rate:{quota.name}:{subject}" for quota, subject, _ in parts]
                amounts: list[str | int] = [how]
                for (quota, _, _), cost in zip(parts, costs, strict=True):
                    amounts += (round(cost * quota.interval * _MICRO), round(quota.span * _MICRO))
                pipe.evalsha(_SHA, len(keys), *keys, *amounts)
            return list(await pipe.execute())
