"""Rates, differences and tests, each with its n. Pure functions on numpy and scipy."""
