"""The driftloop services; docs/architecture.md says which room does what."""
