"""`python -m bench NAME`, which `clarin bench NAME` calls."""

from bench.cli import app

app(prog_name="clarin bench")
