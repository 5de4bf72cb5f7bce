"""Devices over HTTP: what a person wants of a number. The worker that holds the number's shard does it.

``connect``, ``disconnect`` and ``logout`` are three different things: a session, no session but the link kept, the link
undone. Each may be asked twice. The same routes stand under ``/api/whatsapp``.
"""

import asyncio
import contextlib
import io
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Self

import segno
from contracts import ids
from contracts.edge import PublicDeviceId
from contracts.errors import Unavailable
from contracts.events.devices import DeviceState
from contracts.ids import DeviceId, UserId
from contracts.principal import Actor, Principal, Scope
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import AfterValidator, BaseModel, StringConstraints
from servicekit import cursors
from servicekit.auth import Verifier
from servicekit.db import Tx
from servicekit.http import Admin, Body, Caller, Cursor, Doer, Limit, Name, Page, needs, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch

from device_worker.api.parts import Db, Seen
from device_worker.domain import (
    AlreadyLinked,
    Device,
    DeviceMissing,
    LoggingOut,
    PairingCodeNotAvailable,
    QrNotAvailable,
    Wanted,
)
from device_worker.domain.accounts import AccountSuspended, DeviceLimit
from device_worker.store import accounts, devices, pairings

#: How long a caller waits for a pairing code: WhatsApp is asked first.
_CODE_SECONDS = 25.0
_LOOK_EVERY = 0.1
#: How long an answer waits until who sees some numbers only sees the one that they have added.
_SEEN_SECONDS = 2.0
_VIEW = "devices"
_NO_STORE = {"Cache-Control": "no-store"}
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The QR, in the form that `Accept` asks for.",
        "content": {"text/plain": {}, "image/png": {}, "image/svg+xml": {}},
    }
}

routes = APIRouter()


class PairingIsSlow(Unavailable):
    """WhatsApp has not answered yet; try again."""

    code = "pairing-slow"


class DeviceView(BaseModel):
    """A number and its session.

    Attributes:
        reason: A stable code of why it stands there; null where nothing needs saying.
        action: A stable code of what to do about it: ``connect``, ``scan-again``, ``wait``, …
        wanted: What was ordered last: ``connected``, ``disconnected`` or ``logged_out``.
        phone: Digits of the number that is linked, or was last.
        until: The end of a temporary ban.
    """

    id: PublicDeviceId
    name: str
    state: DeviceState
    wanted: Wanted
    reason: str | None
    action: str | None
    until: datetime | None
    phone: str | None
    lid: str | None
    labels: list[str]
    revision: int
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, device: Device) -> Self:
        """Show *device*."""
        shown = {name: getattr(device, name) for name in cls.model_fields if name != "labels"}
        return cls.model_validate(shown | {"labels": device.settings.labels})


class NewDevice(Body):
    """What a device is made of."""

    name: Name


class DeviceChange(Body):
    """What of a device can be changed."""

    name: Name


class Qr(BaseModel):
    """The QR to scan now; *qr* is its text."""

    qr: str
    expires_at: datetime
    seconds_left: int


def _digits(text: str) -> str:
    digits = re.sub(r"[\s()+.-]", "", text)
    if not re.fullmatch(r"[1-9][0-9]{6,14}", digits):
        raise ValueError("A phone number with its country code: 7 to 15 digits.")
    return digits


class CodeOrder(Body):
    """For which phone a code is wanted."""

    phone: Annotated[str, StringConstraints(max_length=40), AfterValidator(_digits)]


class Code(BaseModel):
    """What to type on the phone, under linked devices."""

    code: str
    expires_at: datetime


@routes.post("", status_code=201, response_model=DeviceView, responses=problems(DeviceLimit, AccountSuspended, InFlight, Mismatch))
async def create(body: NewDevice, request: Request, caller: Admin, doer: Doer, db: Db, idem: Idempotent) -> Response:
    """Add a number to the account; connect it next. Who sees some numbers only sees this one as well."""
    now = datetime.now(UTC)
    device = Device(tenant=caller.tenant, id=DeviceId(ids.new()), name=body.name, created_at=now, changed_at=now)
    async with db.transaction(caller.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        await accounts.make_room(tx, caller.tenant)
        await devices.insert(tx, device, doer)
        await devices.ordered(tx, device, "add", doer)
        answer = await idem.finish(tx, 201, DeviceView.of(device).model_dump_json().encode())
    await _seen_by(caller, device.id, request.app.state.verifier)
    return answer


async def _seen_by(caller: Principal, device: DeviceId, verifier: Verifier) -> None:
    """The caller sees the number: auth was told who added it, and tells everyone. Where that takes long, nobody waits for it."""
    seen = asyncio.Event()

    def look(user: UserId) -> None:
        if user == caller.id and verifier.access_of(user).sees(device):
            seen.set()

    verifier.on_access.append(look)
    look(caller.id)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SEEN_SECONDS):
                await seen.wait()
    finally:
        verifier.on_access.remove(look)


@routes.get("")
async def list_all(
    caller: Caller,
    db: Db,
    limit: Limit = 50,
    cursor: Cursor = None,
    label: Annotated[str | None, Query(max_length=40, description="Those alone that have this label.")] = None,
) -> Page[DeviceView]:
    """List the account's numbers, the oldest first."""
    view = _VIEW if label is None else f"{_VIEW} {label}"
    after = cursors.decode(caller.tenant, view, cursor, tuple[Any])[0] if cursor else None
    async with db.transaction(caller.tenant) as tx:
        found = await devices.page(
            tx, caller.tenant, ids.parse(ids.DEVICE, after) if after else None, limit + 1, caller.access.devices, label
        )
    more = cursors.encode(caller.tenant, view, (ids.public(ids.DEVICE, found[limit - 1].id),)) if len(found) > limit else None
    return Page(items=[DeviceView.of(device) for device in found[:limit]], next_cursor=more)


@routes.get("/{id}", responses=problems(DeviceMissing))
async def read(id: Seen, caller: Caller, db: Db) -> DeviceView:
    """Show one number."""
    async with db.transaction(caller.tenant) as tx:
        return DeviceView.of(await devices.find(tx, caller.tenant, id))


@routes.patch("/{id}", responses=problems(DeviceMissing))
async def change(id: Seen, body: DeviceChange, caller: Admin, doer: Doer, db: Db) -> DeviceView:
    """Give a number another name."""
    async with db.transaction(caller.tenant) as tx:
        device = await devices.lock(tx, caller.tenant, id)
        return DeviceView.of(await _ordered(tx, device, device.rename(body.name, datetime.now(UTC)), "rename", doer))


@routes.delete("/{id}", status_code=204, responses=problems(DeviceMissing))
async def delete(id: Seen, caller: Admin, doer: Doer, db: Db) -> None:
    """Take a number out of the account, and unlink it. Its chats stay."""
    async with db.transaction(caller.tenant) as tx:
        device = await devices.lock(tx, caller.tenant, id)
        await pairings.drop(tx, caller.tenant, id)
        await _ordered(tx, device, device.delete(datetime.now(UTC)), "delete", doer)


@routes.post("/{id}/connect", responses=problems(DeviceMissing, LoggingOut, AccountSuspended))
@needs(Scope.CONTROL)
async def connect(id: Seen, caller: Admin, doer: Doer, db: Db) -> DeviceView:
    """Start the session; a number that is not linked starts to pair, and a QR appears within a second or two."""
    async with db.transaction(caller.tenant) as tx:
        await accounts.admit(tx, caller.tenant)
        device = await devices.lock(tx, caller.tenant, id)
        return DeviceView.of(await _ordered(tx, device, device.connect(datetime.now(UTC)), "connect", doer))


@routes.post("/{id}/disconnect", responses=problems(DeviceMissing))
@needs(Scope.CONTROL)
async def disconnect(id: Seen, caller: Admin, doer: Doer, db: Db) -> DeviceView:
    """Stop the session and keep the link: the next connect needs no scan."""
    async with db.transaction(caller.tenant) as tx:
        device = await devices.lock(tx, caller.tenant, id)
        await pairings.drop(tx, caller.tenant, id)
        return DeviceView.of(await _ordered(tx, device, device.disconnect(datetime.now(UTC)), "disconnect", doer))


@routes.post("/{id}/logout", responses=problems(DeviceMissing))
@needs(Scope.CONTROL)
async def logout(id: Seen, caller: Admin, doer: Doer, db: Db) -> DeviceView:
    """Undo the link, here and on the phone: the next connect needs a scan."""
    async with db.transaction(caller.tenant) as tx:
        device = await devices.lock(tx, caller.tenant, id)
        await pairings.drop(tx, caller.tenant, id)
        return DeviceView.of(await _ordered(tx, device, device.logout(datetime.now(UTC)), "logout", doer))


@routes.get(
    "/{id}/qr",
    response_model=Qr,
    responses=_FORMS | problems(DeviceMissing, QrNotAvailable),
)
@needs(Scope.CONTROL)
async def qr(id: Seen, caller: Admin, db: Db, accept: Annotated[str, Header()] = "application/json") -> Response:
    """Show the QR to scan: as text, PNG, SVG or JSON. It changes every 20 to 60 seconds."""
    async with db.transaction(caller.tenant) as tx:
        device = await devices.find(tx, caller.tenant, id)
        pairing = await pairings.find(tx, caller.tenant, id)
    left = (pairing.qr_expires_at - datetime.now(UTC)).total_seconds() if pairing and pairing.qr_expires_at else 0.0
    if device.state is not DeviceState.PAIRING or pairing is None or pairing.qr is None or pairing.qr_expires_at is None or left <= 0:
        raise QrNotAvailable(_why_no_qr(device), state=device.state.value, reason=device.reason, action=device.action)
    headers = _NO_STORE | {"X-Seconds-Left": str(int(left)), "Vary": "Accept"}
    form = _preferred(accept, ("application/json", "text/plain", "image/png", "image/svg+xml"))
    if form == "text/plain":
        return Response(pairing.qr, media_type="text/plain", headers=headers)
    if form == "application/json":
        shown = Qr(qr=pairing.qr, expires_at=pairing.qr_expires_at, seconds_left=int(left))
        return Response(shown.model_dump_json(), media_type="application/json", headers=headers)
    image = io.BytesIO()
    segno.make_qr(pairing.qr, error="l").save(image, kind="png" if form == "image/png" else "svg", scale=6, border=4, light="#fff")
    return Response(image.getvalue(), media_type=form, headers=headers)


@routes.post(
    "/{id}/pairing-code",
    responses=problems(DeviceMissing, AlreadyLinked, LoggingOut, AccountSuspended, PairingCodeNotAvailable, PairingIsSlow),
)
@needs(Scope.CONTROL)
async def pairing_code(id: Seen, body: CodeOrder, caller: Admin, doer: Doer, db: Db, response: Response) -> Code:
    """Get a code to type on the phone instead of scanning."""
    async with db.transaction(caller.tenant) as tx:
        await accounts.admit(tx, caller.tenant)
        device = await devices.lock(tx, caller.tenant, id)
        if device.jid is not None:
            raise AlreadyLinked("Log it out first.")
        pairing = device.connect(datetime.now(UTC))
        await pairings.ask_code(tx, caller.tenant, id, body.phone)
        await _ordered(tx, device, pairing, "connect", doer)
        await devices.wake(tx, pairing)
    until = asyncio.get_running_loop().time() + _CODE_SECONDS
    while asyncio.get_running_loop().time() < until:
        async with db.transaction(caller.tenant) as tx:
            device = await devices.find(tx, caller.tenant, id)
            shown = await pairings.find(tx, caller.tenant, id)
        if shown is not None and shown.phone == body.phone:
            if shown.code is not None and shown.code_expires_at is not None:
                response.headers.update(_NO_STORE)
                return Code(code=shown.code, expires_at=shown.code_expires_at)
            if shown.code_error is not None:
                raise PairingCodeNotAvailable("WhatsApp gave none for this phone.", reason=shown.code_error)
        if device.state is not DeviceState.PAIRING:
            raise PairingCodeNotAvailable("The pairing has ended.", state=device.state.value, reason=device.reason)
        await asyncio.sleep(_LOOK_EVERY)
    raise PairingIsSlow("WhatsApp has not answered yet.", headers={"Retry-After": "5"})


async def _ordered(tx: Tx, before: Device, after: Device, order: str, doer: Actor) -> Device:
    """Do what somebody ordered, and tell who; an order that changes nothing is none."""
    if after is not before:
        await devices.save(tx, before, after, doer)
        await devices.ordered(tx, after, order, doer)
    return after


def _why_no_qr(device: Device) -> str:
    match device.state:
        case DeviceState.PAIRING:
            return "The QR is on its way: ask again in a second."
        case DeviceState.CONNECTED | DeviceState.CONNECTING | DeviceState.BANNED | DeviceState.REPLACED:
            return "The device is linked: there is nothing to scan."
        case _:
            return "Connect the device first."


def _preferred(accept: str, offered: tuple[str, ...]) -> str:
    """Choose the media type that *accept* likes best, the first one offered where it does not care."""
    best, best_quality = offered[0], 0.0
    for place, part in enumerate(accept.split(",")):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((_quality(p) for p in parameters if p.startswith("q=")), 1.0) - place / 10_000
        match = next((o for o in offered if media in (o, "*/*", f"{o.partition('/')[0]}/*")), None)
        if match is not None and quality > best_quality:
            best, best_quality = match, quality
    return best


def _quality(parameter: str) -> float:
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0
