"""
Checks of a manifest that hold for every kind of target.

Each is a function of a `Draft` that yields flaws. The model knows the shape of each part; here the parts meet.
"""
