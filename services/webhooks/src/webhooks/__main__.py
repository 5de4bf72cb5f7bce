"""``python -m webhooks``: the service."""

from webhooks.main import main

main()
