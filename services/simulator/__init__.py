"""The scenario service: scenarios, populations, simulated users, conversations."""
