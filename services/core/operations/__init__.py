"""What people do with runs: launch, watch, read, delete. The CLI calls these; so will the REST API."""
