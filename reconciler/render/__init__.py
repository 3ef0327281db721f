"""
Renderings: values to text, Markdown, JSON, SARIF, GitHub's commands and CycloneDX; nothing is decided here.

May touch nothing outside: what it returns is printed by ``cli``. Begin with ``styled`` and ``text`` for what people read, and
with ``documents`` for what programs read, one file a command.
"""
