"""
HTML: one page that needs nothing beside it, for people who were not there.

`parts` says what stands on it, `columns` where the nodes of a picture lie, `document` fills in the template. Every text is
escaped, there is no script, and nothing is fetched.
"""
