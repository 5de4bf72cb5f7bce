"""``python -m servicekit.bus declare`` for images and installers: CLARIN_NATS_URL is the migrator's."""

import asyncio
import os
import sys

from servicekit.bus.streams import declare
from servicekit.settings import EX_CONFIG


def main() -> int:
    """Declare every stream and bucket; give the exit code."""
    if sys.argv[1:] != ["declare"]:
        sys.stderr.write("usage: python -m servicekit.bus declare\n")
        return 64
    url = os.environ.get("CLARIN_NATS_URL")
    if not url:
        sys.stderr.write("CLARIN_NATS_URL is missing: a nats:// address, as the user migrator.\n")
        return EX_CONFIG
    asyncio.run(declare(url))
    sys.stdout.write("streams and buckets: declared\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
