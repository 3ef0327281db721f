"""
Handlers of UDF artifacts and of the functions that are registered of them.

They are kept and shown, and run by nobody: a catalog of the vendor's, in which SQL would find them, is not here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.local.fc.database import StoredDocument, new_document
from reconciler.local.ververica.service import answer_data, find_document, refuse

if TYPE_CHECKING:
    from reconciler.local.http.messages import Response
    from reconciler.local.ververica.service import ApiRequest, VervericaService

JAVA, PYTHON = "ARTIFACT_TYPE_JAVA", "ARTIFACT_TYPE_PYTHON"
"""The first is the example of the API page; the second is a guess."""


@dataclass(frozen=True)
class UdfArtifactCalls:
    """Handlers of ``…/udfartifacts``."""

    service: VervericaService

    def create(self, request: ApiRequest) -> Response:
        """``POST`` (read in the SDK): ``createSuccess`` false and a message for a name that is taken, a guess."""
        sent = request.document()
        document = self._check_fields(sent)
        now = self.service.now()
        name = str(sent.get("name") or "")
        if not name:
            raise refuse("InvalidParameter", "name is required")
        record = new_document("udfartifact", name, {**document, "_creator": request.actor}, now, request.namespace)
        with self.service.store.writing() as rows:
            is_free = rows.add(record)
        message = "" if is_free else f"a UDF artifact of the name {name} exists"
        artifact = {"udfArtifact": self._show(record)} if is_free else {}
        return answer_data(request, {"createSuccess": is_free, "message": message, "collidingClasses": [], **artifact})

    def list(self, request: ApiRequest) -> Response:
        """``GET ?udfArtifactName=`` (read in the SDK); without a name all of them, a guess."""
        name = request.text("udfArtifactName")
        with self.service.store.reading() as rows:
            records = [each for each in rows.each("udfartifact", request.namespace) if name in ("", each.name)]
        return answer_data(request, [self._show(record) for record in records])

    def update(self, request: ApiRequest) -> Response:
        """``PUT …/{name}`` (read in the SDK): what is not named stays, a guess."""
        with self.service.store.writing() as rows:
            record = request.lookup(rows, "udfartifact")
            document = {**record.document, **self._check_fields({**record.document, **request.document()})}
            updated = replace(record, document=document, modified=self.service.now())
            rows.put(updated)
        data = {"updateSuccess": True, "message": "", "collidingClasses": [], "missingClasses": []}
        return answer_data(request, {**data, "udfArtifact": self._show(updated)})

    def delete(self, request: ApiRequest) -> Response:
        """``DELETE …/{name}`` (read in the SDK). One whose functions are registered is not deleted, a guess."""
        with self.service.store.writing() as rows:
            record = request.lookup(rows, "udfartifact")
            if record.document.get("_functions"):
                raise refuse("UdfArtifactInUse", f"functions of {record.name} are registered")
            rows.drop("udfartifact", record.name, record.parent)
        return answer_data(request, None)

    def register(self, request: ApiRequest) -> Response:
        """``POST …/function%3AregisterUdfFunction?className=&functionName=&udfArtifactName=`` (read in the SDK)."""
        name, path, artifact = (request.text(label) for label in ("functionName", "className", "udfArtifactName"))
        with self.service.store.writing() as rows:
            for other in rows.each("udfartifact", request.namespace):
                if name in other.document.get("_functions", {}):
                    raise refuse("UdfFunctionAlreadyExists", f"a function of the name {name} is registered")
            record = find_document(rows, "udfartifact", artifact, request.namespace)
            functions = {**record.document.get("_functions", {}), name: path}
            rows.put(replace(record, document={**record.document, "_functions": functions}))
        data = {"functionName": name, "className": path, "udfArtifactName": artifact}
        return answer_data(request, data)

    def unregister(self, request: ApiRequest) -> Response:
        """``DELETE …/function/{name}?className=&udfArtifactName=`` (read in the SDK)."""
        name = request.names[0]
        with self.service.store.writing() as rows:
            artifact = request.text("udfArtifactName")
            record = find_document(rows, "udfartifact", artifact, request.namespace)
            functions = dict(record.document.get("_functions", {}))
            if name not in functions:
                raise refuse("UdfFunctionNotFound", f"no function of the name {name} is registered of {artifact}")
            del functions[name]
            rows.put(replace(record, document={**record.document, "_functions": functions}))
        return answer_data(request, {"functionName": name})

    def _check_fields(self, sent: dict[str, Any]) -> dict[str, Any]:
        kind, uri = sent.get("artifactType", JAVA), str(sent.get("jarUrl") or "")
        kinds = {JAVA, *({PYTHON} if self.service.settings.python_functions == "take" else ())}
        if kind not in kinds:
            raise refuse("InvalidParameter", f"artifactType must be {' or '.join(sorted(kinds))}")
        bucket, _, key = uri.removeprefix("oss://").partition("/")
        with self.service.store.reading() as rows:
            if not uri.startswith("oss://") or rows.find("object", key, bucket) is None:
                raise refuse("InvalidParameter", f"jarUrl {uri} does not exist")
        names = ("jarUrl", "dependencyJarUris", "udfClasses")
        return {"artifactType": kind, **{name: sent[name] for name in names if name in sent}}

    def _show(self, record: StoredDocument) -> dict[str, Any]:
        document = record.document
        classes: dict[str, list[str]] = {}
        for name, path in document.get("_functions", {}).items():
            classes.setdefault(path, []).append(name)
        return {
            "name": record.name,
            "namespace": record.parent,
            "artifactType": document["artifactType"],
            "jarUrl": document["jarUrl"],
            "dependencyJarUris": document.get("dependencyJarUris", []),
            "udfClasses": [
                {"className": path, "functionNames": names, "udfArtifactName": record.name}
                for path, names in classes.items()
            ],
            "creator": document["_creator"],
            "createdAt": int(record.created * 1000),
            "modifiedAt": int(record.modified * 1000),
        }
