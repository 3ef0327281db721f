"""
Base: errors and hints, names, words of messages, files, threads and processes.

Every room may use it; it touches files and starts processes only where it is called for that, and knows no manifest and no
service. Begin with `errors`.
"""
