"""`python -m sim.launch --info-file FILE -- python -m worker …`: the command runs in this process's place, attached to the network."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from sim.launcher import Refused, environment, read_info


def main() -> int:
    """Becomes the command; returns only when that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m sim.launch", description=__doc__)
    parser.add_argument("--info-file", type=Path, required=True, help="the file that the running network wrote")
    parser.add_argument("command", nargs="+", help="what to run, after --")
    arguments = parser.parse_args()
    try:
        env = environment(read_info(arguments.info_file))
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return 2
    except FileNotFoundError:
        sys.stderr.write("The network does not run: there is no info file.\n")
        return 1
    command = arguments.command
    executable = sys.executable if command[0] in ("python", "python3") else command[0]
    try:
        os.execvpe(executable, [executable, *command[1:]], env)  # noqa: S606 (to become the command is the purpose)
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be run: {error.strerror}.\n")
        return 127


if __name__ == "__main__":
    sys.exit(main())
