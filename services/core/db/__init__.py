"""Postgres: the schema, connections, and one repository per noun. All SQL is here."""
