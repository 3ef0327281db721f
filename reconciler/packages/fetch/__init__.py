"""Fetching: pinned files of package indexes, into a cache in which a file is found by its hash."""
