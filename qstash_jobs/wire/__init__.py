"""QStash's HTTP API: the only place where its words are written and read."""
