from clarin.cli import app

app()
