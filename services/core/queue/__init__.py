"""How work moves: leases, the worker, and what a closed phase makes owed."""
