"""The bot's settings: the account's, and those of numbers that differ."""

from typing import Annotated, Any

from contracts.edge import PublicDeviceId
from contracts.envelope import wrap
from contracts.events.bot import SettingsChanged as Told
from contracts.principal import Principal
from fastapi import APIRouter
from pydantic import Field, ValidationError
from servicekit import outbox
from servicekit.db import Database, Tx, raw
from servicekit.http import Admin, Caller, Doer, problems
from starlette.responses import Response

from bot import compiled
from bot.api.parts import Db, OnBus, known_number
from bot.domain.errors import NumberMissing, NumbersAway, OwnMissing, RuleInvalid, SettingsChanged
from bot.domain.settings import Bot, Own, Part, dump
from bot.store import settings
from bot.store.settings import ACCOUNT

router = APIRouter(prefix="/api/bot", tags=["bot"])

Version = Annotated[
    int | None, Field(ge=0, description="The version that was changed; another one now is refused. Left out: whatever stands is replaced.")
]


class Settings(Bot):
    """The account's bot.

    Attributes:
        version: Grows with each change; 0: nobody has set it up yet.
        own: The numbers that have settings of their own.
    """

    version: int
    own: tuple[PublicDeviceId, ...] = ()


class SettingsPut(Bot):
    """The account's bot as it shall be."""

    version: Version = None


class NumberSettings(Part):
    """A number's bot: what differs, and what holds in the end."""

    version: int
    own: Own
    holds: Bot


class NumberPut(Own):
    """What shall be different on a number."""

    version: Version = None


@router.get("")
async def read_bot(caller: Caller, db: Db) -> Settings:
    """Show what the bot does."""
    async with db.transaction(caller.tenant) as tx:
        found = {kept.device: kept for kept in await settings.every(await raw(tx), caller.tenant)}
    kept = found.pop(ACCOUNT, None)
    document = kept.document if kept is not None else dump(Bot())
    return Settings.model_validate(document | {"version": kept.version if kept else 0, "own": tuple(filter(caller.sees, sorted(found)))})


@router.put("", responses=problems(SettingsChanged, RuleInvalid))
async def set_bot(body: SettingsPut, admin: Admin, doer: Doer, db: Db) -> Settings:
    """Tell the bot what to do, as a whole; it holds from the next message on."""
    bot = Bot.model_validate({name: getattr(body, name) for name in Bot.model_fields})
    async with db.transaction(admin.tenant) as tx:
        version = await _put(tx, admin, ACCOUNT, bot, body.version)
        found = await settings.every(await raw(tx), admin.tenant)
        await outbox.add(tx, wrap(admin.tenant, Told(version=version, actor=doer)))
    own = tuple(filter(admin.sees, sorted(kept.device for kept in found if kept.device != ACCOUNT)))
    return Settings.model_validate(dump(bot) | {"version": version, "own": own})


@router.get("/devices/{id}", responses=problems(NumbersAway, NumberMissing, OwnMissing))
async def read_number(id: PublicDeviceId, caller: Caller, db: Db, bus: OnBus) -> NumberSettings:
    """Show what the bot does differently on a number."""
    await known_number(db, bus, caller, id)
    async with db.transaction(caller.tenant) as tx:
        kept = await settings.find(await raw(tx), caller.tenant, id)
        account = await settings.find(await raw(tx), caller.tenant)
    if kept is None:
        raise OwnMissing("What the account's bot does holds for this number.")
    return _number(kept.version, Own.model_validate(kept.document), Bot.model_validate(account.document if account else {}))


@router.put("/devices/{id}", responses=problems(NumbersAway, NumberMissing, SettingsChanged, RuleInvalid))
async def set_number(id: PublicDeviceId, body: NumberPut, admin: Admin, doer: Doer, db: Db, bus: OnBus) -> NumberSettings:
    """Have the bot behave differently on a number; what is null stays as the account's."""
    await known_number(db, bus, admin, id)
    own = Own.model_validate({name: getattr(body, name) for name in Own.model_fields})
    async with db.transaction(admin.tenant) as tx:
        version = await _put(tx, admin, id, own, body.version)
        account = await settings.find(await raw(tx), admin.tenant)
        await outbox.add(tx, wrap(admin.tenant, Told(version=version, device=id, actor=doer)))
    return _number(version, own, Bot.model_validate(account.document if account else {}))


@router.delete("/devices/{id}", status_code=204, responses=problems(NumbersAway, NumberMissing, OwnMissing))
async def clear_number(id: PublicDeviceId, admin: Admin, doer: Doer, db: Db, bus: OnBus) -> Response:
    """Have the account's bot hold for a number again."""
    await known_number(db, bus, admin, id)
    async with db.transaction(admin.tenant) as tx:
        kept = await settings.find(await raw(tx), admin.tenant, id, lock=True)
        if kept is None or not await settings.remove(await raw(tx), admin.tenant, id):
            raise OwnMissing("What the account's bot does holds for this number already.")
        await outbox.add(tx, wrap(admin.tenant, Told(version=kept.version, device=id, removed=True, actor=doer)))
    return Response(status_code=204)


async def _put(tx: Tx, admin: Principal, device: PublicDeviceId, document: Part, expected: int | None) -> int:
    """Keep *document* when it can work together with the others of the account.  Raises: SettingsChanged, RuleInvalid."""
    c = await raw(tx)
    await c.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"bot {admin.tenant}")
    kept = await settings.find(c, admin.tenant, device, lock=True)
    version = kept.version if kept is not None else 0
    if expected is not None and expected != version:
        raise SettingsChanged("Fetch it, and make your change to what stands there now.", version=version)
    version = await settings.put(c, admin.tenant, device, dump(document))
    try:
        compiled.compiled((), await settings.every(c, admin.tenant))
    except ValidationError as error:
        # each document is whole by itself: it is a number whose own rules show a menu of the account's that is not there
        raise RuleInvalid(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from None
    return version


def _number(version: int, own: Own, bot: Bot) -> NumberSettings:
    return NumberSettings(version=version, own=own, holds=own.over(bot))


async def standing(db: Database, caller: Principal, device: PublicDeviceId | None) -> Bot:
    """Give what holds on *device*, or for the account."""
    async with db.transaction(caller.tenant) as tx:
        found = {kept.device: kept.document for kept in await settings.every(await raw(tx), caller.tenant)}
    bot = Bot.model_validate(found.get(ACCOUNT, {}))
    own: dict[str, Any] | None = found.get(device) if device is not None else None
    return Own.model_validate(own).over(bot) if own is not None else bot
