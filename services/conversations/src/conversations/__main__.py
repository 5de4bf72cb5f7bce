"""``python -m conversations``."""

from conversations.main import main

main()
