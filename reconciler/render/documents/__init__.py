"""
Versioned JSON documents, one file a command.

The models are the one source of a document and of its schema. A field is only ever added; anything else is a new version.
Readers should ignore fields they do not know.
"""
