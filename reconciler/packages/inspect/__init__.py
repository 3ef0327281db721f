"""Inspection: what is inside a file, read without running it, and whether it would load in a runtime."""
