"""
Values as text a person reads and documents a program reads. Rendering decides nothing.

`text` makes lines of styled pieces, which a terminal shows in colour and anything else as plain text; `document` makes
the versioned JSON. `words` holds the small change: sizes, dates, and the escaping of text that came from a service.
"""
