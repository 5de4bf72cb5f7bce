"""The child: see the package."""

import json
import os
import sys
import threading
from typing import NoReturn

import msgspec
from pydantic import Field
from servicekit import logging
from servicekit.settings import PostgresUrl, Settings, load

from device_worker.domain import CLIENT_OUTDATED, PAIRING_FAILED, PASSKEY_REQUIRED, QR_EXPIRED
from device_worker.pairing import (
    FIRST_QR,
    LASTS,
    NEXT_QR,
    REPORT_FD,
    AnyReport,
    CodeReport,
    EndedReport,
    PairedReport,
    QrReport,
)
from device_worker.whatsapp.errors import CallFailed, NotRunning
from device_worker.whatsapp.library import OS_NAME, Client, Library
from device_worker.whatsapp.proto import Kind, neonize_pb2, parse
from device_worker.whatsapp.store import pooled

#: The last word of the library's pairing, as the reason that a user reads of.
_REASONS = {
    "timeout": QR_EXPIRED,
    "passkey-request": PASSKEY_REQUIRED,
    "passkey-confirmation": PASSKEY_REQUIRED,
    "err-client-outdated": CLIENT_OUTDATED,
}


class PairingSettings(Settings):
    """What the child reads; it inherits the worker's environment."""

    whatsapp_database_url: PostgresUrl
    whatsapp_pooler_url: PostgresUrl | None = None
    pairing_seconds: float = Field(LASTS.total_seconds() + 5, gt=0, description="seconds after which nobody is waited for any more")


class Pairing:
    """The child's one job."""

    def __init__(self, library: Library, out: int, seconds: float, *, proxy: str, shown_as: str | None) -> None:
        self._out, self._seconds = out, seconds
        self._lock = threading.Lock()
        self._shown = 0
        self._lid: str | None = None
        self._ready = threading.Event()
        self._client = Client(
            library,
            jid=None,
            proxy=proxy,
            shown_as=shown_as or OS_NAME,
            on_event=self._event,
            on_end=self._ended,
            on_qr=self._qr,
            on_login=self._login,
        )

    def run(self) -> NoReturn:
        """Pair until it is done, came to nothing, or the parent is gone."""
        self._client.start()
        guard = threading.Timer(self._seconds, self._end, [EndedReport(reason=QR_EXPIRED)])
        guard.daemon = True
        guard.start()
        for line in sys.stdin:
            self._code(str(json.loads(line)["phone"]))
        os._exit(0)

    def _report(self, report: AnyReport) -> None:
        with self._lock:
            os.write(self._out, msgspec.json.encode(report) + b"\n")

    def _end(self, report: AnyReport) -> NoReturn:
        """Say the last thing and be gone: the library would not stop, or would log in."""
        self._report(report)
        os._exit(0)

    def _qr(self, text: str) -> None:
        seconds = (NEXT_QR if self._shown else FIRST_QR).total_seconds()
        self._shown += 1
        self._report(QrReport(qr=text, seconds=seconds))
        self._ready.set()

    def _code(self, phone: str) -> None:
        self._ready.wait()  # there is nobody to ask before WhatsApp has answered
        try:
            code = self._client.pairing_code(phone)
        except (CallFailed, NotRunning):
            self._report(CodeReport(phone=phone, error="refused"))
        else:
            self._report(CodeReport(phone=phone, code=code))

    def _login(self, word: str) -> None:
        if word != "success":
            self._end(EndedReport(reason=_REASONS.get(word, PAIRING_FAILED)))

    def _event(self, kind: int, raw: bytes) -> None:
        if kind == Kind.DEVICE:
            lid = parse(kind, raw).LID
            self._lid = lid.User or None
        elif kind == Kind.PAIR_STATUS:
            status = parse(kind, raw)
            if status.Status != neonize_pb2.PairStatus.SUCCESS:
                self._end(EndedReport(reason=PAIRING_FAILED))
            self._end(PairedReport(jid=f"{status.ID.User}:{status.ID.Device}@{status.ID.Server}", lid=self._lid))

    def _ended(self, error: str) -> None:
        self._end(EndedReport(reason=PAIRING_FAILED))


def main() -> NoReturn:
    """Pair one device."""
    settings = load(PairingSettings, "device-worker")
    # The library prints to standard output, which leads nowhere here: what we log goes the worker's way, to standard error.
    logging.configure("device-worker-pairing", settings.log_level, sys.stderr)
    through = settings.whatsapp_pooler_url
    library = Library(pooled(through) if through else settings.whatsapp_database_url)
    if not (first := sys.stdin.readline()):
        os._exit(0)
    asked = json.loads(first)
    pairing = Pairing(library, int(os.environ[REPORT_FD]), settings.pairing_seconds, proxy=asked["proxy"], shown_as=asked["shown_as"])
    pairing.run()


if __name__ == "__main__":
    main()
