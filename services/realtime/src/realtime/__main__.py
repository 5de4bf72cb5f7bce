"""Start realtime: ``python -m realtime``."""

from realtime.main import main

main()
