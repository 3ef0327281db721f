"""The vendor's SDK, with shorter calls: each is one call of its client, unchanged."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

import pytest


def zip_of(**files: str) -> bytes:
    """Return a ZIP file of modules, the same bytes each time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.py"), text)
    return file.getvalue()


HELLO = zip_of(index="def handler(event, context):\n    return b'hello ' + event\n")


class FunctionCompute:
    """A client of the vendor's SDK."""

    def __init__(
        self, authority: str, access_id: str = "ann", secret: str = "secret", token: str | None = None
    ) -> None:
        client = pytest.importorskip("alibabacloud_fc20230330.client", reason="the vendor's SDK is not installed")
        from alibabacloud_fc20230330 import models
        from alibabacloud_tea_openapi.utils_models import Config
        from darabonba.runtime import RuntimeOptions

        self.models = models
        self.options = RuntimeOptions(autoretry=False)
        self.client = client.Client(
            Config(
                access_key_id=access_id,
                access_key_secret=secret,
                security_token=token,
                endpoint=authority,
                protocol="http",
            )
        )

    def code(self, content: bytes = HELLO, **more: Any) -> Any:
        return self.models.InputCodeLocation(zip_file=base64.b64encode(content).decode(), **more)

    def create(
        self, name: str = "read", content: bytes = HELLO, *, tags: dict[str, str] | None = None, **more: Any
    ) -> Any:
        pairs = [self.models.Tag(key=key, value=value) for key, value in (tags or {}).items()]
        fields = {"runtime": "python3.10", "handler": "index.handler", "code": self.code(content), **more}
        body = self.models.CreateFunctionInput(function_name=name, tags=pairs or None, **fields)
        return self.client.create_function(self.models.CreateFunctionRequest(body=body)).body

    def get(self, name: str = "read", qualifier: str | None = None) -> Any:
        return self.client.get_function(name, self.models.GetFunctionRequest(qualifier=qualifier)).body

    def update(self, name: str = "read", **fields: Any) -> Any:
        body = self.models.UpdateFunctionInput(**fields)
        return self.client.update_function(name, self.models.UpdateFunctionRequest(body=body)).body

    def page(self, **query: Any) -> Any:
        tags = query.pop("tags", None)
        if tags is not None:
            query["tags"] = [self.models.Tag(key=key, value=value) for key, value in tags.items()]
        return self.client.list_functions(self.models.ListFunctionsRequest(**query)).body

    def names(self, **query: Any) -> list[str]:
        return [function.function_name for function in self.page(**query).functions]

    def layer(self, name: str = "ocr", content: bytes = HELLO, **fields: Any) -> Any:
        body = self.models.CreateLayerVersionInput(code=self.code(content), **fields)
        return self.client.create_layer_version(name, self.models.CreateLayerVersionRequest(body=body)).body

    def publish(self, name: str = "read", description: str | None = None) -> Any:
        body = self.models.PublishVersionInput(description=description)
        return self.client.publish_function_version(name, self.models.PublishFunctionVersionRequest(body=body)).body

    def versions(self, name: str = "read", **query: Any) -> list[str]:
        request = self.models.ListFunctionVersionsRequest(**query)
        return [version.version_id for version in self.client.list_function_versions(name, request).body.versions]

    def alias(self, version: str, alias: str = "prod", name: str = "read", **fields: Any) -> Any:
        body = self.models.CreateAliasInput(alias_name=alias, version_id=version, **fields)
        return self.client.create_alias(name, self.models.CreateAliasRequest(body=body)).body

    def point(self, alias: str = "prod", name: str = "read", **fields: Any) -> Any:
        body = self.models.UpdateAliasInput(**fields)
        return self.client.update_alias(name, alias, self.models.UpdateAliasRequest(body=body)).body

    def trigger(
        self, trigger: str = "web", kind: str = "http", config: Any = None, name: str = "read", **fields: Any
    ) -> Any:
        text = json.dumps(config or {"authType": "anonymous", "methods": ["GET", "POST"]})
        body = self.models.CreateTriggerInput(
            **{"trigger_name": trigger, "trigger_type": kind, "trigger_config": text, **fields}
        )
        return self.client.create_trigger(name, self.models.CreateTriggerRequest(body=body)).body

    def reserve(self, reserved: int, name: str = "read") -> Any:
        body = self.models.PutConcurrencyInput(reserved_concurrency=reserved)
        return self.client.put_concurrency_config(name, self.models.PutConcurrencyConfigRequest(body=body)).body

    def invoke(self, event: bytes = b"", name: str = "read", qualifier: str | None = None, **headers: str) -> Any:
        request = self.models.InvokeFunctionRequest(body=io.BytesIO(event), qualifier=qualifier)
        chosen = self.models.InvokeFunctionHeaders(**headers)
        answer = self.client.invoke_function_with_options(name, request, chosen, self.options)
        return Invocation(
            answer.status_code, {key.lower(): text for key, text in answer.headers.items()}, answer.body.read()
        )


@dataclass(frozen=True)
class Invocation:
    """What a call of a function came to."""

    status: int
    headers: dict[str, str]
    body: bytes


def refusal(call: Any) -> tuple[int, str]:
    """Return status and code of the refusal of a call."""
    from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

    with pytest.raises(AlibabaCloudException) as caught:
        call()
    return int(caught.value.status_code), str(caught.value.code)
