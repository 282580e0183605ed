"""What is remembered between runs, in a database; each module here that opens one gives a `boundary.Ledger`."""
