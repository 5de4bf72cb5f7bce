"""``python -m pipeline``."""

from pipeline.main import main

main()
