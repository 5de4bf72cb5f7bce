"""Stable codes: why a device stands where it stands, what the user should do, why a send waits. In words: docs/devices.md."""

# Why a device stands there.
QR_SHOWN = "qr-shown"
QR_REFRESHED = "qr-refreshed"
QR_EXPIRED = "qr-expired"
CODE_SHOWN = "code-shown"
BY_USER = "by-user"
PASSKEY_REQUIRED = "passkey-required"
PAIRING_FAILED = "pairing-failed"
CLIENT_OUTDATED = "client-outdated"
CONNECTION_LOST = "connection-lost"
RESTARTED = "restarted"
STORE_AWAY = "store-away"
JOURNAL_FULL = "journal-full"
LOGGING_OUT = "logging-out"
UNLINKED = "unlinked-on-phone"
CREDENTIALS_MISSING = "credentials-missing"
OPENED_ELSEWHERE = "opened-elsewhere"
REFUSED = "refused"
PROXY_UNREADABLE = "proxy-unreadable"
ACCOUNT_SUSPENDED = "account-suspended"

# What to do about it.
CONNECT = "connect"
SCAN_QR = "scan-qr"
SCAN_AGAIN = "scan-again"
TYPE_CODE = "type-code"
WAIT = "wait"
USE_PHONE_CODE = "use-the-phone"
UPDATE = "update-clarin"
SET_PROXY = "set-the-proxy-again"

# Why a send waits.
PACED = "paced"
NEW_CONTACTS = "new-contacts"
WARM_UP = "warm-up"
QUIET_HOURS = "quiet-hours"
PAUSED = "paused"
NOT_CONNECTED = "not-connected"

# Why it will not leave any more.
CANCELLED = "cancelled"
EXPIRED = "expired"
