"""The journal of facts, in SQLite: append, read, wait."""
