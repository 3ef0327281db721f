"""Clients of the forges that keep code: one connection, and for each forge the few calls that publishing needs."""
