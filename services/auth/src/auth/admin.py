"""The operator's commands: make the installation's owner, invite somebody to open an account, rotate keys.

The password comes from the variable CLARIN_ADMIN_PASSWORD, from a pipe, or from a prompt: never from the command line, which
every process of the machine can read. Nothing secret is printed but an invitation, which is what ``invite`` is for.
"""

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from contracts import ids
from contracts.envelope import wrap
from contracts.errors import Problem
from contracts.events.auth import AccountRegistered, UserCreated
from contracts.ids import TenantId, UserId
from contracts.principal import Role
from servicekit import outbox
from servicekit.db import Database
from servicekit.settings import load

from auth import domain, letters, store, tokens
from auth.domain import Account, EmailTaken, User
from auth.keys import Keyring, WrongEncryptionKey
from auth.passwords import Passwords
from auth.settings import Operator, Sealing

#: Longer than any access token lives, and than a replica takes to learn of a new key.
OUTLAST = timedelta(minutes=15)
PASSWORD = "CLARIN_ADMIN_PASSWORD"  # noqa: S105 - the variable's name


def main(arguments: Sequence[str]) -> int:
    """Do what *arguments* say; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m auth", description="Clarin's accounts and users.")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("admin", help="the installation's owner").add_subparsers(required=True).add_parser("create")
    create.add_argument("--email", required=True, type=_checked(domain.email))
    create.add_argument("--name", default="Admin", type=_checked(domain.name))
    create.add_argument("--account", default="Clarin", type=_checked(domain.name))
    create.add_argument("--time-zone", default="UTC", type=_checked(domain.time_zone))
    create.add_argument("--locale", default="es", choices=("es", "pt", "en"))
    create.add_argument("--currency", default="USD", type=_checked(domain.currency))
    invite = commands.add_parser("invite", help="print a code that opens one account")
    invite.add_argument("--days", type=int, default=7, choices=range(1, 91), metavar="1-90")
    keys = commands.add_parser("keys", help="the keys that access tokens are signed with").add_subparsers(required=True)
    keys.add_parser("rotate", help="sign with a new key within a minute; the present one is good until its last token ends")
    sealing = commands.add_parser("encryption", help="the key that secrets are sealed with").add_subparsers(required=True)
    sealing.add_parser("rotate", help="seal anew with CLARIN_ENCRYPTION_KEY what CLARIN_ENCRYPTION_KEY_PREVIOUS sealed")
    chosen = parser.parse_args(arguments)
    if chosen.command in ("keys", "encryption"):
        return _rotate(load(Sealing, "auth"), chosen.command)
    settings = load(Operator, "auth")
    try:
        if chosen.command == "invite":
            return asyncio.run(_invite(settings, timedelta(days=chosen.days)))
        return asyncio.run(_create(settings, chosen, domain.password(_password())))
    except Problem as problem:
        sys.stderr.write(f"clarin auth: {type(problem).title()} {problem.detail}".rstrip() + "\n")
        return 1


async def _create(settings: Operator, chosen: argparse.Namespace, password: str) -> int:
    now = datetime.now(UTC)
    account = Account(
        id=TenantId(ids.new()),
        name=chosen.account,
        time_zone=chosen.time_zone,
        locale=chosen.locale,
        currency=chosen.currency,
        created_at=now,
    )
    async with (
        Passwords(cost=settings.bcrypt_cost) as passwords,
        Database.open(settings.system_database_url, application="auth-admin", pool=1) as system,
        Database.open(settings.database_url, application="auth-admin", pool=1) as db,
    ):
        async with system.system() as known:
            there = await store.users.by_email(known, chosen.email)
        if there is not None and there.installation:
            sys.stdout.write("The installation's owner is there already; nothing was changed.\n")
            return 0
        if there is not None:
            raise EmailTaken("It belongs to a user of an account.")
        await passwords.judge(password, [chosen.email, chosen.name, chosen.account, "clarin"])
        owner = User(
            id=UserId(ids.new()),
            tenant=account.id,
            email=chosen.email,
            name=chosen.name,
            role=Role.OWNER,
            created_at=now,
            password_hash=await passwords.hash(password),
            installation=True,
        )
        async with db.transaction(account.id) as tx:
            await store.installation.be_first(tx, account.id, now)
            await store.users.open_account(tx, account, owner)
            registered = AccountRegistered(name=account.name, locale=account.locale, time_zone=account.time_zone, currency=account.currency)
            created = UserCreated(user=owner.id, name=owner.name, role=owner.role)
            await outbox.add(tx, wrap(account.id, registered), wrap(account.id, created))
    sys.stdout.write(f"The installation's owner can sign in: {ids.public(ids.USER, owner.id)}.\n")
    return 0


async def _invite(settings: Operator, lifetime: timedelta) -> int:
    code = tokens.random()
    async with Database.open(settings.system_database_url, application="auth-admin", pool=1) as system, system.system() as tx:
        await store.installation.invite(tx, tokens.hashed(code), datetime.now(UTC), lifetime)
    sys.stdout.write(f"{code}\n")
    return 0


def _rotate(settings: Sealing, what: str) -> int:
    try:
        return asyncio.run(_rotate_signing(settings) if what == "keys" else _rotate_sealing(settings))
    except WrongEncryptionKey as error:
        sys.stderr.write(f"clarin auth: {error}\n")
        return 1


async def _rotate_signing(settings: Sealing) -> int:
    async with Database.open(settings.system_database_url, application="auth-admin", pool=1) as system, system.system() as tx:
        # the new one is only made by who could open the present ones
        now = datetime.now(UTC)
        Keyring(settings.vault).hold(await store.installation.signing(tx, settings.vault, now))
        made = await store.installation.rotate(tx, settings.vault, now, OUTLAST)
    sys.stdout.write(f"{made.kid} signs within a minute; the keys before it are good for {OUTLAST // timedelta(minutes=1)} more minutes.\n")
    return 0


async def _rotate_sealing(settings: Sealing) -> int:
    async with Database.open(settings.system_database_url, application="auth-admin", pool=1) as system, system.system() as tx:
        count = await store.installation.reseal(tx, settings.vault)
        for id, sealed in await store.mails.every(tx):
            await store.mails.reseal(tx, id, letters.reseal(settings.vault, sealed))
    sys.stdout.write(f"{count} signing keys are sealed with CLARIN_ENCRYPTION_KEY; leave the previous one in place for a day.\n")
    return 0


def _password() -> str:
    if given := os.environ.get(PASSWORD):
        return given
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\r\n")


def _checked(read: Callable[[str], str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return check
