"""Index of a pipeline as text and as markdown: one headline, and a row a manifest and target."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.words import safe
from reconciler.render.markup import code_span, sentence, table_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.render.styled import Line
    from reconciler.workflow.ci.index import EntryDocument, EntryOutcome, IndexDocument

_SIGNS = {"clean": "=", "changes": "~", "refused": "✗", "failed": "✗", "unknown": "?", "skipped": "·"}
_STYLES = {"changes": "update", "refused": "error", "failed": "error", "unknown": "warning", "skipped": "quiet"}
_WORDS: dict[EntryOutcome, str] = {
    "failed": "{} failed",
    "refused": "{} refused",
    "unknown": "{} without a verdict",
    "changes": "{} with changes",
    "clean": "{} clean",
    "skipped": "{} skipped",
}
"""Outcomes, the worst first."""

_MOST = 200
"""Characters of a summary in a table."""


def headline(index: IndexDocument) -> str:
    """Return the one line that counts."""
    outcomes = Counter(entry.outcome for entry in index.entries)
    parts = [words.format(outcomes[outcome]) for outcome, words in _WORDS.items() if outcomes[outcome]]
    if index.unchanged:
        parts.append(f"{count(len(index.unchanged), 'manifest')} unchanged")
    return f"{index.command}: {', '.join(parts) or 'nothing to do'}"


def index_lines(index: IndexDocument) -> Iterator[Line]:
    """Yield a line an entry, and the headline."""
    labels = [safe(_label(entry)) for entry in index.entries]
    width = max(map(len, labels), default=0)
    for label, entry in zip(labels, index.entries, strict=True):
        style = _STYLES.get(entry.outcome, "")
        code = f"  [exit {entry.exit_code}]" if entry.exit_code not in {0, 2} else ""
        yield (
            (style, f"  {_SIGNS[entry.outcome]} "),
            ("name", f"{label:{width}}"),
            (style, f"  {safe(entry.summary)}{code}"),
        )
    yield (("name", headline(index)),)


def index_markdown(index: IndexDocument) -> str:
    """Return a headline and a table."""
    lines = [f"**udfs {sentence(headline(index))}**", ""]
    if index.entries:
        lines += [table_row("", "manifest", "target", "what"), "|---|---|---|---|"]
    for entry in index.entries:
        summary = entry.summary if len(entry.summary) <= _MOST else f"{entry.summary[: _MOST - 1]}…"
        cells = (_SIGNS[entry.outcome], code_span(entry.manifest), code_span(entry.target or "default"))
        lines.append(table_row(*cells, sentence(summary)))
    return "\n".join(lines) + "\n"


def _label(entry: EntryDocument) -> str:
    return f"{entry.manifest}{f' → {entry.target}' if entry.target else ''}"
