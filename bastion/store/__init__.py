"""The store: SQLite by default, PostgreSQL by URL; one schema, and one way to it."""
