"""The REST API: `/v1`, over Postgres. Routes are thin; reads and commands are in `core.operations` and `core.db`."""
