"""
DataWorks: which functions and resources Data Studio keeps copies of, by two listings.

It is no target. Its copies are added by hand, it compares nothing, and a deployment of one replaces what is in the project
[doc "Register a MaxCompute function", 137576]. `ListFunctions` and `ListResources` of the API 2024-05-18 tell names, owners and
times, and neither sizes nor digests [src alibabacloud-dataworks-public20240518 9.11.0]; they know the new Data Studio alone. Requests are
signed by version 3 [doc "Request syntax and signature method V3"]. None of this was tried on a live workspace; guesses are marked.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import requests

from reconciler.base.numbers import whole_number
from reconciler.base.redaction import redact_foreign
from reconciler.core.copies import Copies, Copy
from reconciler.targets.credentials.acs3 import acs3_headers
from reconciler.targets.maxcompute.manifest import target_of
from reconciler.targets.maxcompute.objects import function_key, resource_key
from reconciler.targets.maxcompute.target import MaxCompute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.core.kind import Key
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.targets.credentials.session import Credentials
    from reconciler.targets.maxcompute.manifest import DataWorks

TOOL = "DataWorks"
VERSION = "2024-05-18"

_PAGE = 100
"""Entries a page: the most that the API gives."""

_PAGES = 100
_TIMEOUT = (5.0, 15.0)
"""Seconds to connect, and between two pieces of an answer: nobody waits long for a warning."""

_LARGEST = 16 << 20
"""Bytes of a page."""

_OURS = frozenset({"", "odps", "maxcompute"})
"""Types of a data source that mean MaxCompute; others (EMR, CDH) have functions of their own. The spelling is a guess."""


def find_copies(loaded: Loaded, target: Target) -> Copies | None:
    """
    Return what the workspace of a manifest's target keeps; None if the target names none.

    Raises nothing for a service that does not answer: that is told in `Copies.failure`.
    """
    settings = target_of(loaded).dataworks
    if settings is None:
        return None
    assert isinstance(target, MaxCompute)
    copies: list[Copy] = []
    failure = ""
    try:
        if (credentials := target.client.access_key) is None:
            raise _NoAnswer("it takes an access key of ALIBABA_CLOUD_ACCESS_KEY_ID, and there is none")
        for action, name, key_of in (
            ("ListFunctions", "Functions", function_key),
            ("ListResources", "Resources", resource_key),
        ):
            copies += _list(settings, credentials, action, name, key_of, target.token)
    except _NoAnswer as error:
        failure = str(error)
    except requests.RequestException as error:
        failure = f"{_endpoint(settings)} does not answer ({type(error).__name__})"
    return Copies(TOOL, tuple(copies), redact_foreign(failure), settings.identity or "")


class _NoAnswer(Exception):
    """An answer that tells nothing, with the reason."""


def _list(
    settings: DataWorks,
    credentials: Credentials,
    action: str,
    name: str,
    key_of: Callable[[str], Key],
    token: Callable[[], str],
) -> Iterator[Copy]:
    for page in range(1, _PAGES + 1):
        query = {"PageNumber": str(page), "PageSize": str(_PAGE), "ProjectId": str(settings.workspace)}
        paging = _ask(settings, credentials, action, query, token).get("PagingInfo")
        entries = paging.get(name) if isinstance(paging, dict) else None
        if entries is None and isinstance(paging, dict) and paging.get("TotalCount") == 0:
            return
        if not isinstance(entries, list):
            raise _NoAnswer(f"the answer to {action} has another form than documented")
        yield from (copy for entry in entries if (copy := _copy(entry, key_of)))
        if len(entries) < _PAGE:
            return
    raise _NoAnswer(f"there are more than {_PAGES * _PAGE} entries in {action}")


def _copy(entry: object, key_of: Callable[[str], Key]) -> Copy | None:
    """Return an entry of a listing; None for one of another engine, or that has no name."""
    if not isinstance(entry, dict) or not isinstance(name := entry.get("Name"), str) or not name:
        return None
    source = entry.get("DataSource")
    if isinstance(source, dict) and str(source.get("Type") or "").lower() not in _OURS:
        return None
    return Copy(key_of(name), str(entry.get("Owner") or "")[:200], _moment(entry.get("ModifyTime")))


def _moment(value: object) -> datetime | None:
    """Return a time of 13 digits, milliseconds."""
    number = whole_number(str(value), digits=13)
    return datetime.fromtimestamp(number // 1000, timezone.utc) if number else None


def _endpoint(settings: DataWorks) -> str:
    # Regions without one of their own share dataworks.aliyuncs.com; the manifest names it then.
    return (settings.endpoint or f"https://dataworks.{settings.region}.aliyuncs.com").rstrip("/")


def _ask(
    settings: DataWorks, credentials: Credentials, action: str, query: Mapping[str, str], token: Callable[[], str]
) -> dict[str, Any]:
    endpoint = urlsplit(_endpoint(settings))
    is_loopback = endpoint.hostname in {"127.0.0.1", "localhost", "::1"}
    if endpoint.scheme != "https" and not is_loopback:
        raise _NoAnswer(f"'{_endpoint(settings)}' is not https, and requests carry credentials")
    now = datetime.now(timezone.utc)
    headers = acs3_headers(credentials, "GET", endpoint.netloc, action, VERSION, query, now, token())
    with requests.Session() as session:
        # A proxy's loopback is another machine.
        session.trust_env = not is_loopback
        address = f"{_endpoint(settings)}/?{urlencode(query)}"
        with session.get(address, headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True) as response:
            body = response.raw.read(_LARGEST + 1, decode_content=True)
    try:
        answer = json.loads(body) if len(body) <= _LARGEST else None
    except (ValueError, RecursionError):
        answer = None
    if response.status_code != 200:
        code = answer.get("Code") if isinstance(answer, dict) else None
        raise _NoAnswer(f"{action} answers {response.status_code}{f' {code}' if isinstance(code, str) else ''}")
    if not isinstance(answer, dict):
        raise _NoAnswer(f"the answer to {action} is no JSON object")
    return answer
