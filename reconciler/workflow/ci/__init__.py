"""
Pipelines: the manifests of a repository, which of them a change is about, in which order they come, and the index of what came of them.

What Git says is handed in; nothing here starts it.
"""
