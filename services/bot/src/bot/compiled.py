"""The settings of accounts and numbers, compiled once for each version."""

from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID

import asyncpg
import msgspec
from contracts.hours import covering
from contracts.ids import DeviceId, TenantId

from bot.domain.decide import Setting
from bot.domain.phrases import Matcher
from bot.domain.settings import Bot, Own
from bot.store import settings
from bot.store.facts import Account
from bot.store.settings import ACCOUNT, Kept

KEPT_MAX = 2_000

Versions = tuple[tuple[UUID, int], ...]


class Compiled(msgspec.Struct, frozen=True):
    """The bot of an account, and of each number that has one of its own."""

    versions: Versions
    bots: dict[DeviceId, tuple[Bot, Matcher]]

    def at(self, device: DeviceId) -> tuple[Bot, Matcher]:
        """Give what holds on *device*."""
        return self.bots.get(device) or self.bots[ACCOUNT]


_NONE = Compiled((), {ACCOUNT: (Bot(), Matcher(()))})


def compiled(versions: Versions, found: Iterable[Kept]) -> Compiled:
    """Compile what is kept of one account.

    Raises:
        RuleInvalid: An expression cannot be used.
        pydantic.ValidationError: A number's own rules show a menu that is not there.
    """
    documents = {kept.device: kept.document for kept in found}
    bot = Bot.model_validate(documents.pop(ACCOUNT, {}))
    bots = {ACCOUNT: (bot, Matcher(bot.rules))}
    for device, document in documents.items():
        own = Own.model_validate(document).over(bot)
        bots[device] = own, bots[ACCOUNT][1] if own.rules is bot.rules else Matcher(own.rules)
    return Compiled(versions, bots)


class Cache:
    """The compiled settings of the accounts that were needed last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[TenantId, Compiled] = OrderedDict()

    async def get(self, c: asyncpg.Connection, tenants: set[TenantId]) -> dict[TenantId, Compiled]:
        """Give what holds for each of *tenants* in this transaction."""
        found = {}
        versions = await settings.versions(c, tenants)
        for tenant in tenants:
            here = versions.get(tenant, ())
            known = self._kept.get(tenant)
            if not here:
                found[tenant] = _NONE
            elif known is not None and known.versions == here:
                found[tenant] = known
            else:
                found[tenant] = compiled(here, await settings.every(c, tenant))
                self._kept[tenant] = found[tenant]
                if len(self._kept) > KEPT_MAX:
                    self._kept.popitem(last=False)
        return found


def setting(bots: Compiled, account: Account, device: DeviceId, team: UUID | None) -> Setting:
    """Give what holds for a chat on *device* that is in the queue of *team*."""
    bot, matcher = bots.at(device)
    own = bot.out_of_hours.hours
    return Setting(
        bot=bot,
        matcher=matcher,
        hours=own.rule() if own is not None else covering(account.hours, device=device, team=team),
        locale=account.locale,
        time_zone=account.time_zone,
        number=account.numbers.get(device, ""),
        account=account.name,
    )
