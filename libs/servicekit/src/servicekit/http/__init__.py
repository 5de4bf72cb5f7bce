"""The HTTP edge of a service: one app, one shape of error, who calls, pages and bodies.

app = create_app(title="Clarin auth", service=service, verifier=verifier, routers=[api.router], state={"db": db})
service.serve(app, settings.http_host, settings.http_port)
"""

from servicekit.http.answers import Json, answer
from servicekit.http.app import create_app
from servicekit.http.bodies import Body, Cursor, Limit, LongText, Name, Page, Text
from servicekit.http.callers import Admin, Caller, Doer, Owner, needs, requires
from servicekit.http.problems import problems
from servicekit.http.state import state

__all__ = [
    "Admin",
    "Body",
    "Caller",
    "Cursor",
    "Doer",
    "Json",
    "Limit",
    "LongText",
    "Name",
    "Owner",
    "Page",
    "Text",
    "answer",
    "create_app",
    "needs",
    "problems",
    "requires",
    "state",
]
