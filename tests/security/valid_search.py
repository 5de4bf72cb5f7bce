"""A valid request for each operation of the search."""

from .valid import plain

plain("searchSearch", query={"q": "hola"})
