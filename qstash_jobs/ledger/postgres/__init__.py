"""An address -> the ledger in a PostgreSQL database, which several runners may share.

Only `ledger` and what it is made of need psycopg; `address` does not.
"""
