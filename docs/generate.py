"""Write (or with --check: compare) the generated pages of this folder."""

import sys
from pathlib import Path

from contracts import reference

PAGES = {"events.md": reference.render}


def main() -> int:
    """Write every page; with --check change nothing and return 1 where one is stale."""
    here = Path(__file__).parent
    stale = [name for name, render in PAGES.items() if not (here / name).exists() or (here / name).read_text() != render()]
    for name in stale:
        if "--check" in sys.argv:
            sys.stderr.write(f"docs/{name} is stale: run `make docs`.\n")
        else:
            (here / name).write_text(PAGES[name]())
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
