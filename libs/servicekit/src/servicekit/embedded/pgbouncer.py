"""PgBouncer, where the machine has one: there is no wheel of it.

It refuses to run as root, as PostgreSQL does, so root runs it as ``nobody``, in its own folder.
"""

import os
import pwd
import shutil
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from servicekit.embedded.child import Child
from servicekit.embedded.server import Server, answers

#: What a client asks for by SSLRequest, to which any PostgreSQL answers with one letter.
_SSL_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])


def find() -> Path | None:
    """Find the program; None where the machine has none."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


class PgBouncer(Server):
    """A PgBouncer in front of one database, in transaction mode: many clients on a few connections."""

    name = "pgbouncer"

    def __init__(
        self,
        folder: Path,
        *,
        program: Path,
        database_url: str,
        pool: int = 40,
        port: int = 0,
        log: Path | None = None,
        as_user: str = "nobody",
    ) -> None:
        """Stand before *database_url*, whose user and password its clients have too, with at most *pool* connections to it."""
        super().__init__(folder, port=port, log=log)
        self._program, self._database_url, self._pool = program, urlsplit(database_url), pool
        entry = pwd.getpwnam(as_user)
        self._user = (entry.pw_uid, entry.pw_gid) if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        """The database through it."""
        at = self._database_url
        return f"postgresql://{quote(at.username or '')}:{quote(at.password or '', safe='')}@127.0.0.1:{self.port}{at.path}"

    def _launch(self) -> Child:
        at = self._database_url
        name = at.path.lstrip("/")
        lines = [
            "[databases]",
            f"{name} = host={at.hostname} port={at.port} dbname={name}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {self.port}",
            "unix_socket_dir =",
            "auth_type = scram-sha-256",
            "auth_file = users.txt",
            "pool_mode = transaction",
            f"default_pool_size = {self._pool}",
            "max_client_conn = 10000",
            "server_idle_timeout = 30",
            "server_login_retry = 1",
            # Who waits for a connection longer than this is told that the database is away, which it then is.
            "query_wait_timeout = 10",
            "ignore_startup_parameters = options,extra_float_digits",
            "log_connections = 0",
            "log_disconnections = 0",
        ]
        user, password = unquote(at.username or ""), unquote(at.password or "")
        for file, text in (("pgbouncer.ini", "\n".join(lines)), ("users.txt", f'"{user}" "{password}"')):
            path = self.folder / file
            path.touch(mode=0o600)
            path.write_text(text + "\n")
            if self._user:
                os.chown(path, *self._user)
        if self._user:
            os.chown(self.folder, *self._user)
        # Started in its folder, it needs no way through the parents, which may be closed to it.
        return Child([self._program, "pgbouncer.ini"], log=self.log, cwd=self.folder, user=self._user)

    def _ready(self) -> bool:
        return answers(self.port, b"", say=_SSL_REQUEST)
