"""``python -m auth``: the service; ``python -m auth admin create``, ``python -m auth invite``: the operator's commands."""

import sys

from auth.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
