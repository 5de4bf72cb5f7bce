"""Sending: the dispatcher claims lanes, a lane sends for one endpoint, the target makes the requests, the recorder writes down.

An endpoint is one lane, held by one replica at a time. A dead endpoint fills its own lane, which is let go for as long as the
endpoint is held, and no other's.
"""
