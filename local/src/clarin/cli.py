"""The `clarin` command."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clarin import doctor as doctors
from clarin import logs as logging
from clarin.folder import AlreadyRuns, Folder, Running
from clarin.report import shown

# What only one command needs, and takes a second to load, is imported by that command.

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Clarin on one machine: every server and every service, without Docker.")
admin = typer.Typer(no_args_is_help=True, help="The installation's owner.")
dlq = typer.Typer(no_args_is_help=True, help="Messages that no consumer could handle.")
workers = typer.Typer(invoke_without_command=True, help="The processes that hold the WhatsApp sessions.")
secrets = typer.Typer(no_args_is_help=True, help="The secrets of an installation in containers.")
app.add_typer(admin, name="admin")
app.add_typer(secrets, name="secrets")
app.add_typer(dlq, name="dlq")
app.add_typer(workers, name="workers")


class Topology(StrEnum):
    """How much there is of everything."""

    SMALL = "small"
    LARGE = "large"


Data = Annotated[Path, typer.Option("--data", envvar="CLARIN_HOME", help="The folder of everything that is kept.")]
DEFAULT_DATA = Path(".data")
console = Console()


@app.command()
def up(
    data: Data = DEFAULT_DATA,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The public port; 0 takes any that is free.")] = 8080,
    host: Annotated[str, typer.Option(help="The address that the public port listens on.")] = "127.0.0.1",
    topology: Annotated[
        Topology, typer.Option(help="large: two of each service, four workers, NATS on three servers; as on a cluster.")
    ] = Topology.SMALL,
    workers: Annotated[int | None, typer.Option(min=0, max=64, help="How many processes hold the WhatsApp sessions; 2, or 4.")] = None,
    realtimes: Annotated[
        int | None, typer.Option("--realtime", min=1, max=8, help="How many processes hold the browsers' sockets; 1, or 2.")
    ] = None,
    sim: Annotated[bool, typer.Option(help="Run the WhatsApp network on loopback; without it, real numbers are linked.")] = True,
    ready_file: Annotated[Path | None, typer.Option(help="Written, as JSON, once all is ready.")] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once all is ready; `clarin down` ends it.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Set up an account with numbers, customers and chats.")] = False,
    pooler: Annotated[bool, typer.Option(envvar="CLARIN_POOLER", help="Use PgBouncer for the sessions, if this machine has it.")] = True,
) -> None:
    """Start everything and keep it alive until Ctrl-C or SIGTERM."""
    from clarin.up import Options
    from clarin.up import up as run

    large = topology is Topology.LARGE
    options = Options(
        data=data,
        port=port,
        host=host,
        workers=workers if workers is not None else 4 if large else 2,
        replicas=2 if large else 1,
        realtimes=realtimes if realtimes is not None else 2 if large else 1,
        nodes=3 if large else 1,
        sim=sim,
        ready_file=ready_file,
        demo=demo,
        pooler=pooler,
    )
    try:
        raise typer.Exit(_detached(data) if detach else run(options, console))
    except AlreadyRuns as error:
        console.print(f"[red]{error}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


@app.command()
def down(data: Data = DEFAULT_DATA) -> None:
    """End what runs on this data folder."""
    folder = Folder(data)
    pid = folder.runner()
    if pid is None:
        console.print(f"Nothing runs on {folder.root}.", highlight=False)
        return
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 35
    while folder.is_locked() and time.monotonic() < end:
        time.sleep(0.1)
    raise typer.Exit(1 if folder.is_locked() else 0)


@app.command()
def restart(
    names: Annotated[list[str] | None, typer.Argument(help="Which, as `clarin status` calls them; all when left out.")] = None,
    data: Data = DEFAULT_DATA,
    at_once: Annotated[int, typer.Option(min=1, max=16, help="How many services at a time; never two replicas of one.")] = 1,
) -> None:
    """Restart the processes one after the other, each once the one before is back; with `--topology large` nobody notices."""
    from clarin import rolling

    try:
        asyncio.run(rolling.roll(Folder(data), names or (), at_once=at_once, say=lambda text: console.print(text, highlight=False)))
    except rolling.NotBack as error:
        console.print(f"[red]{error}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


@app.command()
def status(data: Data = DEFAULT_DATA) -> None:
    """Show what runs where."""
    running = _running(data)
    console.print(shown(running))
    console.print(f"{running.url}  (process {running.pid})")


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="One process, as `clarin status` calls it; all when left out.")] = None,
    data: Data = DEFAULT_DATA,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines of each.")] = 50,
) -> None:
    """Show what the processes say."""
    try:
        logging.show(Folder(data).logs, name, lines, follow=follow)
    except logging.NoSuchLog as error:
        console.print(f"[red]{error}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        return


@app.command()
def doctor(
    data: Data = DEFAULT_DATA,
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    host: Annotated[str, typer.Option()] = "127.0.0.1",
) -> None:
    """Look for what would keep Clarin from running here, and say what to do."""
    # Its own port is taken while it runs, which is no illness.
    findings = doctors.examine(data, 0 if Folder(data).is_locked() else port, host)
    for finding in findings:
        console.print(finding.line(), highlight=False, soft_wrap=True)
    raise typer.Exit(1 if any(finding.fatal for finding in findings) else 0)


@app.command()
def migrate(data: Data = DEFAULT_DATA) -> None:
    """Bring every database to this version; what runs goes on running."""
    from clarin import servers

    folder = Folder(data)
    folder.make()
    running = folder.running()
    if running is not None:
        asyncio.run(servers.migrate(folder, running.postgres))
    else:
        with folder.lock(), servers.Servers(folder).postgres as postgres:
            asyncio.run(servers.migrate(folder, postgres.url))
    console.print("Every database is of this version.")


@app.command()
def seed(
    data: Data = DEFAULT_DATA,
    chats: Annotated[int, typer.Option(min=1, max=10_000_000)] = 1000,
    messages: Annotated[int, typer.Option(min=1, max=100_000_000)] = 10_000,
    tenants: Annotated[int, typer.Option(min=1, max=10_000, help="Accounts; all but the first are made up, with a hundredth each.")] = 1,
    email: Annotated[str | None, typer.Option(help="Of somebody in the account; not needed where there is only one.")] = None,
    number: Annotated[int, typer.Option("--seed", help="The same number tells the same story.")] = 1,
    add: Annotated[bool, typer.Option("--add", help="Also into an account that has chats.")] = False,
) -> None:
    """Fill an account with believable contacts, chats and messages of the last months."""
    from clarin import servers
    from clarin.seed import command, filling

    folder = Folder(data)
    folder.make()
    running = folder.running()

    def run(url: str) -> None:
        asyncio.run(command.run(url, console, chats=chats, messages=messages, tenants=tenants, email=email, seed=number, add=add))

    try:
        if running is not None:
            run(running.postgres)
        else:
            with folder.lock(), servers.Servers(folder).postgres as postgres:
                asyncio.run(servers.migrate(folder, postgres.url))
                run(postgres.url)
    except (command.NoAccount, filling.NotEmpty, ValueError) as error:
        console.print(f"[red]{error}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


@app.command()
def backup(
    to: Annotated[Path, typer.Option("--to", help="The folder to make; it must not be there.")],
    data: Data = DEFAULT_DATA,
    with_key: Annotated[bool, typer.Option(help="Put the key in as well that encrypts what is kept: whoever has both reads all.")] = False,
) -> None:
    """Keep everything in one folder, while the installation runs: databases, sessions, files, what waits on the bus.

    Of an installation in containers CLARIN_ADMIN_DATABASE_URL, CLARIN_NATS_URL and CLARIN_MEDIA_URL say where it is.
    """
    from clarin.backup import DumpFailed, Places, back_up

    try:
        places = Places.named() or Places.here(Folder(data), _running(data))
        made = asyncio.run(back_up(places, to, with_key=with_key, say=console.print))
    except (FileExistsError, DumpFailed) as error:
        console.print(f"[red]{error}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    size = sum(file.bytes for file in made.files.values())
    console.print(f"{to}: {len(made.files)} files, {size / 1e6:.1f} MB.", highlight=False)
    if not with_key:
        console.print("The key is not in it: keep [bold]secrets/passwords.json[/] of the data folder elsewhere, or it is of no use.")


@app.command()
def restore(
    source: Annotated[Path, typer.Option("--from", exists=True, file_okay=False, help="What `clarin backup` made.")],
    data: Data = DEFAULT_DATA,
    key: Annotated[str | None, typer.Option(envvar="CLARIN_ENCRYPTION_KEY", help="The key, where the backup has none.")] = None,
) -> None:
    """Make an installation out of a backup, in a data folder that is empty; `clarin up` starts it then.

    Where CLARIN_ADMIN_DATABASE_URL, CLARIN_NATS_URL and CLARIN_MEDIA_URL are set, into those servers, before the first migration.
    """
    from clarin.backup import DumpFailed, NotRestorable, Places, restore_elsewhere
    from clarin.backup import restore as run

    try:
        places = Places.named()
        work = run(Folder(data), source, key=key, say=console.print) if places is None else restore_elsewhere(places, source)
        made = asyncio.run(work)
    except (NotRestorable, DumpFailed, AlreadyRuns) as error:
        console.print(f"[red]{error}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(f"Restored what was backed up on {made.made_at:%Y-%m-%d %H:%M} UTC. `clarin up` starts it.", soft_wrap=True)


@dlq.command("list")
def dlq_list(data: Data = DEFAULT_DATA) -> None:
    """Show what waits among the dead letters."""
    from clarin import letters

    asyncio.run(letters.show(_running(data), console))


@dlq.command("replay")
def dlq_replay(
    sequences: Annotated[list[int] | None, typer.Argument(help="Which, as `clarin dlq list` numbers them; all when left out.")] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Give dead letters to their consumer again."""
    from clarin import letters

    asyncio.run(letters.replay(_running(data), sequences or [], console))


@dlq.command("drop")
def dlq_drop(
    sequences: Annotated[list[int], typer.Argument(help="Which, as `clarin dlq list` numbers them.")], data: Data = DEFAULT_DATA
) -> None:
    """Delete dead letters for good: what they say is not handled any more."""
    from clarin import letters

    asyncio.run(letters.drop(_running(data), sequences, console))


@workers.callback()
def workers_list(
    context: typer.Context,
    data: Data = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show every worker: its sessions, what it takes of the machine, what it has in hand."""
    from clarin import fleet

    if context.invoked_subcommand is None:
        asyncio.run(fleet.workers(_running(data), console, as_json=as_json))


@workers.command("drain")
def workers_drain(worker: Annotated[str, typer.Argument(help="As `clarin workers` calls it.")], data: Data = DEFAULT_DATA) -> None:
    """Have a worker hand its sessions to the others, and take none until `undrain`; its process goes on."""
    from clarin import fleet

    raise typer.Exit(0 if asyncio.run(fleet.drain(_running(data), console, worker, back=False)) else 1)


@workers.command("undrain")
def workers_undrain(worker: Annotated[str, typer.Argument(help="As `clarin workers` calls it.")], data: Data = DEFAULT_DATA) -> None:
    """Have a worker take its share again."""
    from clarin import fleet

    raise typer.Exit(0 if asyncio.run(fleet.drain(_running(data), console, worker, back=True)) else 1)


@app.command()
def devices(
    data: Data = DEFAULT_DATA,
    state: Annotated[str | None, typer.Option(help="Only those that stand so: connected, connecting, logged_out, …")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Show every number of every account, those first that are not connected."""
    from clarin import fleet

    asyncio.run(fleet.devices(_running(data), console, state=state, as_json=as_json))


@admin.command("create")
def admin_create(
    email: Annotated[str, typer.Option(prompt=True)],
    data: Data = DEFAULT_DATA,
    name: str = "Admin",
    account: str = "Clarin",
    time_zone: str = "UTC",
    locale: Annotated[str, typer.Option(help="es, pt or en.")] = "es",
    currency: str = "USD",
) -> None:
    """Make the owner of this installation, who stands above the accounts; the password comes from CLARIN_ADMIN_PASSWORD or is asked."""
    from clarin import processes

    process = processes.process(processes.AUTH, Folder(data), processes.Addresses.of(_running(data)), name="auth", port=0)
    given = {"email": email, "name": name, "account": account, "time-zone": time_zone, "locale": locale, "currency": currency}
    words = [*process.command, "admin", "create", *(word for key, value in given.items() for word in (f"--{key}", value))]
    os.execve(sys.executable, words, dict(process.environment))  # noqa: S606


@secrets.command("fill")
def secrets_fill(
    file: Annotated[Path, typer.Argument(help="The file to write; what has a value in it stays.")] = Path(".env"),
    compose: Annotated[Path, typer.Option(exists=True, dir_okay=False)] = Path("docker-compose.yml"),
    example: Annotated[Path, typer.Option(exists=True, dir_okay=False)] = Path(".env.example"),
) -> None:
    """Write .env with a fresh secret wherever one is needed and none stands; run it again after an update, for the new ones."""
    from clarin import secrets as values

    text = (file if file.exists() else example).read_text()
    whole = values.filled(text, values.demanded(compose.read_text()))
    values.write(file, whole)
    count = sum(1 for name, value in values.read(whole).items() if value and not values.read(text).get(name))
    console.print(
        f"{file} has {count} new secrets. Keep a copy of it where the backups are: without it they cannot be read.", soft_wrap=True
    )


@secrets.command("kubernetes")
def secrets_kubernetes(
    folder: Annotated[Path, typer.Argument(help="The overlay, such as deploy/k8s/overlays/small.", exists=True, file_okay=False)],
    postgres: Annotated[str, typer.Option(help="host:port of PostgreSQL.")] = "postgres.servers:5432",
    nats: Annotated[str, typer.Option(help="host:port of NATS.")] = "nats.servers:4222",
    valkey: Annotated[str, typer.Option(help="host:port of Valkey.")] = "valkey.servers:6379",
    env: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="What `clarin secrets fill` wrote.")] = Path(".env"),
    compose: Annotated[Path, typer.Option(exists=True, dir_okay=False)] = Path("docker-compose.yml"),
) -> None:
    """Write one env file for each process into the overlay's secrets/, for its secretGenerator."""
    from clarin import secrets as values

    hosts = {"postgres:5432": postgres, "nats:4222": nats, "valkey:6379": valkey}
    try:
        given = values.environments(compose.read_text(), values.read(env.read_text()), hosts)
    except values.Missing as missing:
        console.print(f"{missing} `clarin secrets fill {env}` makes one.", soft_wrap=True)
        raise typer.Exit(1) from None
    plain = values.plain(folder.parents[1] / "base" / "config.yaml")
    for name, pairs in given.items():
        lines = "".join(f"{key}={text}\n" for key, text in pairs.items() if key not in plain)
        values.write(folder / "secrets" / f"{name}.env", lines)
    console.print(f"{folder / 'secrets'} has one file for each of {len(given)} processes. It is not for the repository.", soft_wrap=True)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(context: typer.Context, name: Annotated[str, typer.Argument(help="Which one; `clarin bench list` names them.")]) -> None:
    """Measure: prints one JSON object on its last line with --json."""
    os.execv(sys.executable, [sys.executable, "-m", "bench", name, *context.args])  # noqa: S606


def _running(data: Path) -> Running:
    running = Folder(data).running()
    if running is None:
        console.print(f"Nothing runs on {data.absolute()}: `clarin up` starts it.", highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    return running


def _detached(data: Path) -> int:
    """Start the same command again in the background, and wait until it is ready or has ended."""
    folder = Folder(data)
    folder.make()
    if folder.is_locked():
        raise AlreadyRuns(f"Clarin runs on {folder.root} already: see `clarin status`, end it with `clarin down`.")
    words = [word for word in sys.argv[1:] if word not in ("--detach", "-d")]
    log = folder.logs / "clarin.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "clarin", *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    end = time.monotonic() + 150
    while time.monotonic() < end:
        if process.poll() is not None or folder.running() is not None:
            break
        time.sleep(0.1)
    print(log.read_text(), end="")
    return 0 if folder.running() is not None else process.returncode or 1
