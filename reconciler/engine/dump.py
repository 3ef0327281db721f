"""
Dump file: the state of a project, for planning where there is neither network nor an account.

A dump is one reading (`ledger.Reading`) of one stack's project: every object as the listings tell it, and the newest
entry of the stack's ledger. It holds no content and no credentials. A plan made against it says so; saved, it is held
against the project itself before anything is written, like every saved plan.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.core.record import Reading
from reconciler.engine import ledger
from reconciler.engine.plan_file import DumpDocument, DumpedDocument, explain_mismatch, live_document, require_format
from reconciler.engine.saved_plan import kind_of, live_of, place_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.core.kind import Catalog
    from reconciler.core.plan import Destination

FORMAT = "udfs.dump/1"
_AGAIN = ("write a new one with: ", Command("dump", "--out FILE"))
_OTHER = "name the target that was dumped with --target"


def write(reading: Reading, stack: str, destination: Destination, taken: datetime) -> DumpDocument:
    """Return the document of a reading, objects sorted by key."""
    return DumpDocument(
        target_kind=destination.kind,
        stack=stack,
        **destination.parts,
        taken=taken,
        epochs=reading.epochs,
        last=json.loads(ledger.dump(reading.last)) if reading.last else None,
        objects=tuple(
            DumpedDocument(kind=key.kind, live=live_document(have)) for key, have in sorted(reading.live.items())
        ),
    )


def read(content: bytes, name: str, catalog: Catalog) -> DumpDocument:
    """Read a dump's document; E522 for a file that is not one, E517 for a newer one. `name` is how errors call the file."""
    document = require_format(content, FORMAT, name, "E522", _AGAIN)
    if (kind := document.get("target_kind") or catalog.target_kind) != catalog.target_kind:
        message = (
            f"the dump '{name}' is of a target of kind '{kind}', and the manifest's is of kind '{catalog.target_kind}'"
        )
        raise UsageError("E523", message, hint=_OTHER)
    try:
        place_of({label: document[label] for label in catalog.place if label in document}, catalog)
        dump = DumpDocument.model_validate_json(content)
        place_of(dump.of_target, catalog)
    except ValueError as cause:
        raise UsageError(
            "E522", f"the dump '{name}' is not understood: {explain_mismatch(cause)}", hint=_AGAIN
        ) from cause
    return dump


def reading_of(dump: DumpDocument, stack: str, destination: Destination, name: str, catalog: Catalog) -> Reading:
    """Return the reading that a dump holds; E523 if it is of another stack or project."""
    place_in_project = place_of(dump.of_target, catalog)
    if (stack, dict(destination.place)) != (dump.stack, place_in_project):
        raise UsageError(
            "E523",
            f"the dump '{name}' is of {_place(dump.stack, place_in_project)}, "
            f"and the manifest is about {_place(stack, dict(destination.place))}",
            hint=_OTHER,
        )
    try:
        live = [live_of(object_.live, kind_of(object_.kind, catalog)) for object_ in dump.objects]
    except ValueError as cause:
        raise UsageError("E522", f"the dump '{name}' is not understood: {cause}", hint=_AGAIN) from cause
    last = (
        ledger.parse(json.dumps(dump.last).encode(), f"in '{name}'", catalog.kinds) if dump.last is not None else None
    )
    return Reading({have.object.key: have for have in live}, dump.epochs, last)


def _place(stack: str, place: Mapping[str, str | None]) -> str:
    return f"stack '{stack}' in {', '.join(f'{label} {text}' for label, text in place.items() if text is not None)}"
