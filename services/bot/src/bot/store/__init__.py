"""Reading and writing, straight on asyncpg: one statement for a batch, the tenant first in each."""
