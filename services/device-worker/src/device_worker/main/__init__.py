"""Wiring of the two processes: the API, of which any number may run, and the worker, which holds sessions."""

import sys

from servicekit.run import service

from device_worker.settings import ApiSettings, WorkerSettings


def main() -> None:
    """Be the process that the first argument names."""
    match sys.argv[1:]:
        case ["api"]:
            from device_worker.main import api

            service("device-worker-api", ApiSettings, api.start)
        case ["worker"]:
            # Only here: it knows the library's messages, which the API has no use for.
            from device_worker.main import worker

            service("device-worker", WorkerSettings, worker.start)
        case _:
            sys.stderr.write("usage: python -m device_worker api|worker\n")
            raise SystemExit(64)
