"""Every statement of the service, straight on asyncpg, the tenant first in each; none begins or commits.

Who writes a lane's row and others takes the lane's first: consumer, sender and API would otherwise wait for each other in a ring.
"""
