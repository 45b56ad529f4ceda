"""The REST API as types: what it answers (`models`), and a client that reads it."""
