"""What a device is, where its session may stand, and how it gets from one standing to the next. Pure.

Two things are kept apart: what the user wants (`Wanted`), and where the session stands (`DeviceState`). People change
the first, the worker reports the second, and a report that no longer fits what is wanted changes nothing: a
``connected`` that arrives after the user's ``disconnect`` is old news.

Whether a device is linked is told by its ``jid`` alone: it is there from the pairing to the unlinking.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from contracts import ids
from contracts.errors import Conflict, NotFound
from contracts.events.devices import DeviceChanged, DeviceState
from contracts.ids import DeviceId, TenantId

from device_worker.domain.reasons import (
    ACCOUNT_SUSPENDED,
    BY_USER,
    CANNOT_CONNECT,
    CLIENT_OUTDATED,
    CODE_SHOWN,
    CONNECT,
    LOGGING_OUT,
    NO_CAPACITY,
    OPENED_ELSEWHERE,
    PASSKEY_REQUIRED,
    PROXY_UNREADABLE,
    QR_REFRESHED,
    QR_SHOWN,
    SCAN_AGAIN,
    SCAN_QR,
    SET_PROXY,
    TYPE_CODE,
    UPDATE,
    USE_PHONE_CODE,
    WAIT,
)
from device_worker.domain.settings import UNSET, DeviceSettings

#: What the user can do about a pairing that ended, by its reason.
_AFTER_PAIRING = {PASSKEY_REQUIRED: USE_PHONE_CODE, CLIENT_OUTDATED: UPDATE, PROXY_UNREADABLE: SET_PROXY}


class Wanted(StrEnum):
    """What the user ordered last; the worker works towards it."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    LOGGED_OUT = "logged_out"
    DELETED = "deleted"


class DeviceMissing(NotFound):
    """There is no such device."""

    code = "device-not-found"


class QrNotAvailable(Conflict):
    """There is no QR to show."""

    code = "qr-not-available"


class AlreadyLinked(Conflict):
    """The device is linked already."""

    code = "already-connected"


class LoggingOut(Conflict):
    """The device is being logged out."""

    code = "logging-out"


class PairingCodeNotAvailable(Conflict):
    """WhatsApp gave no pairing code for this phone."""

    code = "pairing-code-not-available"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One number of a tenant, and its session.

    Attributes:
        reason: A stable code of why it stands where it stands.
        action: A stable code of what the user should do.
        until: The end of a temporary ban, UTC.
        jid: Under which WhatsApp knows this linked device (``5215…:7@s.whatsapp.net``); None while it is not linked.
        phone: Digits; stays after a logout, so that a chat's number is still known.
        linked_at: When this phone number was linked here for the first time: how young it is.
        proxy: The address of the proxy that its session goes through, sealed; None: straight.
        revision: Grows by one with each change.
    """

    tenant: TenantId
    id: DeviceId
    name: str
    created_at: datetime
    changed_at: datetime
    state: DeviceState = DeviceState.NEW
    wanted: Wanted = Wanted.DISCONNECTED
    revision: int = 1
    reason: str | None = None
    action: str | None = None
    until: datetime | None = None
    jid: str | None = None
    phone: str | None = None
    lid: str | None = None
    linked_at: datetime | None = None
    settings: DeviceSettings = UNSET
    proxy: bytes | None = None

    def event(self) -> DeviceChanged:
        """Tell how it stands."""
        return DeviceChanged(
            id=ids.public(ids.DEVICE, self.id),
            name=self.name,
            state=self.state,
            revision=self.revision,
            at=self.changed_at,
            reason=self.reason,
            action=self.action,
            phone=self.phone,
            lid=self.lid,
            until=self.until,
        )

    # What people order.

    def rename(self, name: str, at: datetime) -> Self:
        """Give it another name."""
        return self._moved(at, name=name)

    def configure(self, settings: DeviceSettings, proxy: bytes | None, at: datetime) -> Self:
        """Have it work by other settings."""
        return self._moved(at, settings=settings, proxy=proxy)

    def connect(self, at: datetime) -> Self:
        """Want a session; one that is not linked starts to pair.  Raises: LoggingOut."""
        if self.wanted is Wanted.LOGGED_OUT:
            raise LoggingOut("Wait until the device is logged out, then connect it.")
        if self.wanted is Wanted.DELETED or self.suspended:
            return self
        if self.jid is None:
            if self.state is DeviceState.PAIRING:
                return self
            return self._stands(at, DeviceState.PAIRING, wanted=Wanted.CONNECTED)
        if self.banned_at(at):
            return self._moved(at, wanted=Wanted.CONNECTED)
        if self.wanted is Wanted.CONNECTED and self.state in (DeviceState.CONNECTED, DeviceState.CONNECTING):
            return self
        return self._stands(at, DeviceState.CONNECTING, wanted=Wanted.CONNECTED)

    def disconnect(self, at: datetime) -> Self:
        """Want no session, and keep the link: a later connect needs no scan."""
        if self.wanted in (Wanted.LOGGED_OUT, Wanted.DELETED):
            return self
        if self.jid is None:
            if self.state is not DeviceState.PAIRING:
                return self._moved(at, wanted=Wanted.DISCONNECTED)
            return self._stands(at, self._unlinked_state(), BY_USER, SCAN_AGAIN, wanted=Wanted.DISCONNECTED)
        if self.wanted is Wanted.DISCONNECTED and self.state is not DeviceState.CONNECTED:
            return self
        if self.banned_at(at):
            return self._moved(at, wanted=Wanted.DISCONNECTED)
        return self._stands(at, DeviceState.DISCONNECTED, BY_USER, CONNECT, wanted=Wanted.DISCONNECTED)

    def logout(self, at: datetime) -> Self:
        """Want the link undone, here and on the phone."""
        if self.jid is None or self.wanted is Wanted.DELETED:
            return self.disconnect(at)
        return self._moved(at, wanted=Wanted.LOGGED_OUT, reason=LOGGING_OUT, action=None)

    def delete(self, at: datetime) -> Self:
        """Want it gone; the link goes first."""
        return self._moved(at, wanted=Wanted.DELETED)

    # What becomes of its account.

    def suspend(self, at: datetime) -> Self:
        """Have no session until `let_in`, whoever wants one."""
        if self.jid is None:
            return self.pairing_ended(at, ACCOUNT_SUSPENDED)
        if not self.works_on_session:
            return self
        return self._stands(at, DeviceState.DISCONNECTED, ACCOUNT_SUSPENDED, WAIT)

    def let_in(self, at: datetime) -> Self:
        """Go on where `suspend` ended it."""
        return self._stands(at, DeviceState.CONNECTING) if self.suspended else self

    # What the worker reports.

    def paired(self, at: datetime, jid: str, phone: str | None, lid: str | None) -> Self:
        """WhatsApp has linked it. Kept even when it is no longer wanted: there is something to undo now."""
        if self.jid is not None:
            return self
        state = DeviceState.CONNECTING if self.wanted is Wanted.CONNECTED else DeviceState.DISCONNECTED
        same = self.linked_at is not None and phone in (None, self.phone)
        return self._stands(at, state, jid=jid, phone=phone or self.phone, lid=lid or self.lid, linked_at=self.linked_at if same else at)

    def qr_shown(self, at: datetime) -> Self:
        """There is a QR to scan; the later ones of the same pairing are told once, as a refreshed one."""
        if self.state is not DeviceState.PAIRING or self.reason in (CODE_SHOWN, QR_REFRESHED):
            return self
        return self._stands(at, self.state, QR_REFRESHED if self.reason == QR_SHOWN else QR_SHOWN, SCAN_QR)

    def code_shown(self, at: datetime) -> Self:
        """There is a code to type on the phone."""
        if self.state is not DeviceState.PAIRING:
            return self
        return self._stands(at, self.state, CODE_SHOWN, TYPE_CODE)

    def pairing_ended(self, at: datetime, reason: str) -> Self:
        """Nobody scanned, or it went wrong; the user may try again."""
        if self.jid is not None or self.state is not DeviceState.PAIRING:
            return self
        action = _AFTER_PAIRING.get(reason, SCAN_AGAIN)
        wanted = Wanted.DISCONNECTED if self.wanted is Wanted.CONNECTED else self.wanted
        return self._stands(at, self._unlinked_state(), reason, action, wanted=wanted)

    def connecting(self, at: datetime, reason: str | None = None) -> Self:
        """A session is being started, or has lost its connection and tries again. The link stays, however often that fails."""
        if not self.works_on_session:
            return self
        action = None
        if reason == CANNOT_CONNECT:
            action = SET_PROXY if self.proxy is not None else WAIT
        return self._stands(at, DeviceState.CONNECTING, reason, action)

    def without_room(self, at: datetime) -> Self:
        """No worker has room for its session, or for its pairing; it begins when one has."""
        if self.banned_at(at):
            return self
        if self.works_on_session:
            return self._stands(at, DeviceState.CONNECTING, NO_CAPACITY, WAIT)
        if self.state is DeviceState.PAIRING and self.wanted is Wanted.CONNECTED:
            return self._stands(at, DeviceState.PAIRING, NO_CAPACITY, WAIT)
        return self

    def with_room(self, at: datetime) -> Self:
        """A worker has room for its pairing."""
        return self._stands(at, self.state) if self.reason == NO_CAPACITY else self

    def connected(self, at: datetime, lid: str | None = None) -> Self:
        """The session is up."""
        if not self.works_on_session:
            return self
        return self._stands(at, DeviceState.CONNECTED, lid=lid or self.lid)

    def unlinked(self, at: datetime, reason: str) -> Self:
        """The link is undone, by whomever."""
        if self.jid is None:
            return self
        wanted = Wanted.DELETED if self.wanted is Wanted.DELETED else Wanted.DISCONNECTED
        return self._stands(at, DeviceState.LOGGED_OUT, reason, SCAN_AGAIN, wanted=wanted, jid=None)

    def replaced(self, at: datetime, *, again: bool) -> Self:
        """Another process opened the same session. *again*: not for the first time, so that the user decides."""
        if not self.works_on_session:
            return self
        if again:
            return self._stands(at, DeviceState.REPLACED, OPENED_ELSEWHERE, CONNECT, wanted=Wanted.DISCONNECTED)
        return self._stands(at, DeviceState.REPLACED, OPENED_ELSEWHERE, WAIT)

    def banned(self, at: datetime, until: datetime, reason: str) -> Self:
        """WhatsApp has locked the number out until then."""
        if self.jid is None or self.suspended:
            return self
        return self._stands(at, DeviceState.BANNED, reason, WAIT, until=until)

    def failed(self, at: datetime, reason: str, action: str | None = None) -> Self:
        """WhatsApp refuses the session, and trying again soon would not help."""
        if not self.works_on_session:
            return self
        return self._stands(at, DeviceState.FAILED, reason, action)

    def banned_at(self, at: datetime) -> bool:
        """Tell whether a ban is in force."""
        return self.state is DeviceState.BANNED and self.until is not None and self.until > at

    @property
    def suspended(self) -> bool:
        """Tell whether its session is wanted, and waits until its account is let in again."""
        return self.reason == ACCOUNT_SUSPENDED and self.jid is not None and self.wanted is Wanted.CONNECTED

    @property
    def works_on_session(self) -> bool:
        """Tell whether a worker has a session to keep for it."""
        return self.jid is not None and self.wanted is Wanted.CONNECTED and not self.suspended

    def _unlinked_state(self) -> DeviceState:
        return DeviceState.NEW if self.phone is None else DeviceState.LOGGED_OUT

    def _stands(
        self,
        at: datetime,
        state: DeviceState,
        reason: str | None = None,
        action: str | None = None,
        until: datetime | None = None,
        **changes: Any,
    ) -> Self:
        return self._moved(at, state=state, reason=reason, action=action, until=until, **changes)

    def _moved(self, at: datetime, **changes: Any) -> Self:
        if all(getattr(self, name) == value for name, value in changes.items()):
            return self
        return replace(self, **changes, revision=self.revision + 1, changed_at=max(at, self.changed_at))
