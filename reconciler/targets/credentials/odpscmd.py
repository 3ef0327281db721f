"""
Configuration of odpscmd: ``odps_config.ini``, lines of ``name=value`` without sections [README and CredentialConfig of odpscmd].

Looked for where odpscmd looks, except in the working directory: a checkout brings no credentials.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import AccessError
from reconciler.base.inputs import SETTING, read_input
from reconciler.targets.credentials.session import Credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE = "UDFS_ODPS_CONFIG"
"""Names the file, wherever it is."""

_NAME = "odps_config.ini"


def find_config(environment: Mapping[str, str]) -> Path | None:
    """Return the file that odpscmd would read: the one that is named, in the home folder, or beside the program."""
    if named := environment.get(FILE):
        return Path(named)
    return next((path for path in _places(environment) if path.is_file()), None)


def _places(environment: Mapping[str, str]) -> Iterator[Path]:
    if home := environment.get("HOME"):
        yield Path(home) / _NAME
    if program := shutil.which("odpscmd", path=environment.get("PATH", "")):
        yield Path(program).resolve().parents[1] / "conf" / _NAME


def read_config(path: Path) -> Credentials | str:
    """Return the keys of a configuration, or why it has none; E593 for a file that cannot be read or means something else."""
    try:
        text = read_input(path, SETTING).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise AccessError("E593", f"{path}: {reason}", hint=f"name another file in {FILE}") from None
    values = dict(_settings(text))
    provider = values.get("account_provider", "aliyun").lower()
    if provider not in {"", "aliyun", "sts"}:
        hint = "its keys are read where account_provider is aliyun or sts; `credentials: chain` takes other ways"
        raise AccessError("E593", f"{path}: account_provider is '{provider[:40]}'", hint=hint)
    access_id, secret = values.get("access_id", ""), values.get("access_key", "")
    if not access_id or not secret or "<" in access_id:
        return f"{path} has no access_id and access_key"
    return Credentials(access_id, secret, values.get("sts_token") or None, origin=f"odpscmd's {path}")


def _settings(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not name.lstrip().startswith("#"):
            yield name.strip(), value.strip()
