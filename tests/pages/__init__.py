"""Pages and graphs: what they say, and how they look in a browser."""
