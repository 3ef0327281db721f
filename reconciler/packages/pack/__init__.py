"""Packing: archives with the same bytes everywhere, of wheels and of folders."""
