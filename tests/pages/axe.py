"""axe-core, which judges whether a page can be used by everybody: fetched from npm where npm is, and never kept."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

_RUN = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(finding => ['serious', 'critical'].includes(finding.impact))
  .map(finding => finding.id + ': ' + finding.nodes.map(node => node.html.slice(0, 90)).slice(0, 3).join(' | '))"""


@cache
def axe_script() -> str | None:
    """Return axe-core's script; None where it cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        command = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefix", name, "axe-core@^4"]
        if subprocess.run(command, capture_output=True, timeout=300, check=False).returncode:
            return None
        return (Path(name) / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


def serious_findings(tab: Page) -> Any:
    """Return what axe calls serious or critical on a page: which rule, and where."""
    script = axe_script()
    assert script is not None
    # By the tools of the browser: the page's own policy lets no script in.
    tab.evaluate(script)
    return tab.evaluate(_RUN)
