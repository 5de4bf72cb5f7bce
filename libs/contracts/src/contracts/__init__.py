"""What two services must agree on: ids, events, commands, subjects, errors, the principal, route prefixes.

No I/O happens here: every function is pure, and the only imports are msgspec, pydantic and a UUIDv7 generator.
"""
