"""What people do with runs: launch, watch, read, delete. The REST API and the pages call these."""
