"""The panel's files, held in memory: hashed ones for ever, the page itself asked for anew each time."""

import base64
import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway import responses
from gateway.domain import NoSuchPath
from gateway.requests import Request, tokens
from gateway.responses import Answer, Headers

_HASHED = re.compile(r"[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$")
_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_TEXT = ("text/", "application/javascript", "application/json", "application/manifest+json", "image/svg+xml")
_WORTH_PACKING = 1024
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".map": "application/json",
}

NOT_BUILT = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Clarin</title>
<h1>The panel is not built</h1><p>The API works: see <a href="/docs">its documentation</a>. <code>make setup</code> builds the panel,
and <code>CLARIN_PANEL_DIR</code> names the folder that it was built into.</p></html>
"""
#: The service worker lives under the policy of its own file: it asks this server, and nothing else.
_WORKER = "sw.js"
_WORKER_POLICY = b"default-src 'none'; connect-src 'self'; frame-ancestors 'none'"
_PLAIN_POLICY = b"default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _File:
    headers: Headers
    tag: bytes
    variants: dict[bytes, bytes]


class Panel:
    """The built panel, read when its page changes on the disk."""

    def __init__(self, folder: Path | None) -> None:
        """Read *folder*, if there is one."""
        self._folder = folder
        self._files: dict[str, _File] = {}
        self._stamp = 0
        self._refresh()

    def __call__(self, request: Request) -> Answer:
        """Answer with a file, or with the page for every path that the panel routes itself.  Raises: NoSuchPath."""
        file = self._files.get(request.path)
        if file is None or file is self._files.get("/index.html"):
            if file is None and (request.path.startswith("/assets/") or "." in request.path.rpartition("/")[2]):
                raise NoSuchPath(f"Nothing is at {request.path}.")
            self._refresh()
            file = self._files.get("/index.html")
        if file is None:
            return responses.html(NOT_BUILT, 503, policy=_PLAIN_POLICY)
        return _serve(file, request)

    def _refresh(self) -> None:
        if self._folder is None:
            return
        try:
            stamp = (self._folder / "index.html").stat().st_mtime_ns
        except OSError:
            self._files, self._stamp = {}, 0
            return
        if stamp != self._stamp:
            self._files = _read(self._folder)
            self._stamp = stamp
            log.info("panel read", files=len(self._files))


def _serve(file: _File, request: Request) -> Answer:
    coding = b""
    accepted = tokens(request.fields.get(b"accept-encoding", b""))
    for candidate in (b"br", b"gzip"):
        if candidate in file.variants and accepts(accepted, candidate):
            coding = candidate
            break
    tag = b'"%b%b"' % (file.tag, b"-" + coding if coding else b"")
    headers = [*file.headers, (b"etag", tag)]
    if len(file.variants) > 1:
        headers.append((b"vary", b"Accept-Encoding"))
    known = request.fields.get(b"if-none-match")
    if known is not None and (known.strip() == b"*" or tag.lower() in (part.removeprefix(b"w/") for part in tokens(known))):
        return Answer(304, b"", headers)
    if coding:
        headers.append((b"content-encoding", coding))
    return Answer(200, file.variants[coding], headers)


def accepts(accepted: frozenset[bytes], coding: bytes) -> bool:
    """Tell whether a client takes *coding*; a weight of nothing is a no."""
    for token in accepted:
        name, _, weight = token.partition(b";")
        if name.strip() == coding:
            return weight.strip().rstrip(b"0") not in (b"q=", b"q=0.")
    return False


def _read(folder: Path) -> dict[str, _File]:
    """Read every file of *folder* but the packed twins, which go with their originals, and source maps."""
    root = folder.resolve()
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".br", ".gz") or not path.is_file() or not path.resolve().is_relative_to(root):
            continue
        files["/" + path.relative_to(folder).as_posix()] = _load(path, path.relative_to(folder).as_posix())
    return files


def _load(path: Path, name: str) -> _File:
    body = path.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    text = kind.startswith(_TEXT)
    headers: Headers = [(b"content-type", f"{kind}; charset=utf-8".encode() if text else kind.encode())]
    lasting = name.startswith("assets/") and _HASHED.search(path.name)
    headers.append((b"cache-control", b"public, max-age=31536000, immutable" if lasting else b"no-cache"))
    if path.suffix == ".html":
        headers.append((b"content-security-policy", policy(body)))
    elif name == _WORKER:
        headers.append((b"content-security-policy", _WORKER_POLICY))
    variants = {b"": body}
    for coding, suffix in ((b"br", ".br"), (b"gzip", ".gz")):
        twin = path.with_name(path.name + suffix)
        if twin.is_file():
            variants[coding] = twin.read_bytes()
    if text and b"gzip" not in variants and len(body) >= _WORTH_PACKING:
        variants[b"gzip"] = gzip.compress(body, 6, mtime=0)
    return _File(headers, hashlib.sha256(body).hexdigest()[:20].encode(), variants)


def policy(page: bytes) -> bytes:
    """Allow what the panel needs and nothing else; of inline scripts only those that stand in *page*.

    Styles may be inline, because the component library sets them at run time.
    """
    hashes = "".join(f" 'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in _INLINE_SCRIPT.findall(page))
    return (
        "default-src 'self'; "
        f"script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "font-src 'self' data:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; object-src 'none'; frame-src 'none'; "
        "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
    ).encode("ascii")
