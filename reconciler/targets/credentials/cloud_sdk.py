"""
Providers of alibabacloud-credentials: profiles of the Aliyun CLI, ``credentials.ini``, the role of a machine, a URI.

Those that its own default chain has, in its order, without the two that `links` has itself: so each says why it gave nothing.
The library takes more than a second to import and reads the environment as it does; it comes with ``udfs[cloud]``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from reconciler.base.redaction import redact_foreign
from reconciler.targets.credentials.session import AskedSource, Credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.targets.credentials.session import KeySource

_EXTRA = "alibabacloud-credentials is not installed (pip install 'udfs[cloud]')"


def open_chain(environment: Mapping[str, str]) -> KeySource | list[str]:
    """Return a source by the first provider that gives something, or what each said."""
    try:
        from alibabacloud_credentials import provider as providers
    except ImportError:
        return [_EXTRA]
    # It logs to a stream of its own, tokens' answers included.
    logging.getLogger("credentials").setLevel(logging.CRITICAL)
    reasons = []
    for name, kind in _kinds(providers, environment):
        try:
            provider = kind()
            source = AskedSource(lambda provider=provider, name=name: _snapshot(provider, name))  # type: ignore[misc]
            source.current()
        except Exception as error:  # noqa: BLE001 - each raises what it likes
            reasons.append(f"{name}: {_message_of(error)}")
        else:
            return source
    return reasons


def _kinds(providers: Any, environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    yield "the Aliyun CLI's profile", providers.CLIProfileCredentialsProvider
    yield "~/.alibabacloud/credentials.ini", providers.ProfileCredentialsProvider
    if environment.get("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "").lower() != "true":
        # Without a thread that asks every minute: a command asks itself, and then ends.
        yield "the machine's RAM role", lambda: providers.EcsRamRoleCredentialsProvider(async_update_enabled=False)
    if environment.get("ALIBABA_CLOUD_CREDENTIALS_URI"):
        yield "ALIBABA_CLOUD_CREDENTIALS_URI", providers.URLCredentialsProvider


def _snapshot(provider: Any, name: str) -> Credentials:
    keys = provider.get_credentials()
    access_id, secret = keys.get_access_key_id(), keys.get_access_key_secret()
    if not access_id or not secret:
        raise ValueError("it gives no key")
    return Credentials(access_id, secret, keys.get_security_token() or None, origin=name)


def _message_of(error: Exception) -> str:
    text = " ".join(redact_foreign(str(error) or type(error).__name__).split())
    return text if len(text) <= 160 else f"{text[:160]}…"
