"""
Sections of jobs in ``udfs.yaml``: functions, archives of packages, and the jobs that use them.

What Flink's own options say of them (`python.files`, `pipeline.classpaths`, …) is worked out of these (`job_options`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import Meta, field

from reconciler.base.names import SINGLE
from reconciler.manifest import model
from reconciler.manifest.model import Flag, Names, Text, VariableValue
from reconciler.manifest.section import NULL_IS_EMPTY, Section

Slim: TypeAlias = Annotated[
    Flag, Meta(description="false: tests, headers, type stubs and sources of compiled code are packed too.")
]


class JobFunction(Section, frozen=True, kw_only=True):
    """A function that jobs call in SQL by the name of its key."""

    short: ClassVar[str] = "source"
    schema_extra: ClassVar[dict[str, Any]] = {"oneOf": [{"required": ["source"]}, {"required": ["jar"]}]}

    source: Annotated[Text | None, Meta(description="Path of the Python file, relative to the manifest.")] = None
    jar: Annotated[
        Text | None,
        Meta(description="Instead of `source`: path of the jar with a function in Java, relative to the manifest."),
    ] = None
    class_: Annotated[
        Text,
        Meta(
            description="In Python the name that udf(), udtf() or udaf() gives something at the top of the source; in Java the class, with its package."
        ),
    ] = field(name="class")
    description: Annotated[Text | None, Meta(description="What the function does, for people.")] = None
    tests: Annotated[
        list[model.RowTest],
        NULL_IS_EMPTY,
        Meta(
            description="Calls and what must come of them, in the environment of the first job that names the function."
        ),
    ] = field(default_factory=list)


class JobPackage(model.WheelGroup, frozen=True, kw_only=True):
    """Python packages in one zip archive, which workers import from: made of the lock, or given."""

    short: ClassVar[str] = "archive"
    schema_extra: ClassVar[dict[str, Any]] = {
        "oneOf": [
            {"required": ["archive"]},
            {"anyOf": [{"required": [key]} for key in ("requirements", "requirements_file", "wheels")]},
        ]
    }

    archive: Annotated[
        Text | None,
        Meta(
            description="Instead of everything else: path of a finished zip archive, relative to the manifest; what is imported lies at its top."
        ),
    ] = None
    python: Annotated[
        Text | None,
        Meta(
            description="The Python of jobs that name no environment: cp311, say. Left out, the one that the vendor's engine has."
        ),
    ] = None
    slim: Slim = True

    def file(self, name: str) -> str:
        """Return the path of its archive; of one that is made here, the name that it gets."""
        return self.archive or f"{name}.zip"

    @property
    def names_wheels(self) -> bool:
        """Whether its archive is made here."""
        return self.archive is None and bool(self.requirements or self.requirements_file or self.wheels)

    def package(self) -> model.Package:
        """Return it as a package that is locked, fetched, and packed into one archive."""
        values = {key: getattr(self, key) for key in model.WheelGroup.__struct_fields__}
        return model.Package(**values, bundle=SINGLE)


class JobArchive(Section, frozen=True, kw_only=True):
    """An archive that is unpacked beside the workers of a job."""

    short: ClassVar[str] = "file"

    file: Annotated[Text, Meta(description="Path of the archive, relative to the manifest.")]
    as_: Annotated[
        Text | None,
        Meta(
            description="The folder that it is unpacked into; left out, one that is called as the archive is: mydata.zip."
        ),
    ] = field(name="as", default=None)

    @property
    def folder(self) -> str:
        """What functions open its files by."""
        return self.as_ or self.file.rpartition("/")[2]


class FlinkJob(Section, frozen=True, kw_only=True):
    """A program that Flink runs."""

    short: ClassVar[str] = "main"
    schema_extra: ClassVar[dict[str, Any]] = {"oneOf": [{"required": ["main"]}, {"required": ["sql"]}]}
    elsewhere: ClassVar[Mapping[str, str]] = {
        "requirements": "they are an environment's: environments: {NAME: {requirements: […]}}, and here environment: NAME"
    }

    main: Annotated[Text | None, Meta(description="Path of the Python program, relative to the manifest.")] = None
    sql: Annotated[Text | None, Meta(description="Instead of `main`: path of a file of SQL statements.")] = None
    args: Annotated[Names, Meta(description="Arguments of the program.")] = field(default_factory=list)
    functions: Annotated[Names, Meta(description="Names from `functions:` that its SQL calls.")] = field(
        default_factory=list
    )
    environment: Annotated[
        Text | None,
        Meta(
            description="Name from `environments:` that its workers run in; left out, the Python that the engine has."
        ),
    ] = None
    packages: Annotated[Names, Meta(description="Names from `packages:` that its functions import.")] = field(
        default_factory=list
    )
    archives: Annotated[
        list[Text | JobArchive],
        NULL_IS_EMPTY,
        Meta(description="Archives that are unpacked beside the workers: open('mydata.zip/names.txt')."),
    ] = field(default_factory=list)
    jars: Annotated[Names, Meta(description="Paths of jars, relative to the manifest.")] = field(default_factory=list)
    files: Annotated[
        Names,
        Meta(description="Paths of files; on the vendor's service functions open them as /flink/usrlib/NAME."),
    ] = field(default_factory=list)
    conf: Annotated[
        dict[Text, VariableValue],
        NULL_IS_EMPTY,
        Meta(
            description="Flink's options. What the job's other keys say is worked out of them, and need not stand here."
        ),
    ] = field(default_factory=dict)
    labels: Annotated[
        dict[Text, VariableValue], NULL_IS_EMPTY, Meta(description="Labels of the deployment, on the vendor's service.")
    ] = field(default_factory=dict)
    on_change: Annotated[
        Literal["savepoint", "stateless", "refuse"],
        Meta(
            description="What a change does to a running job. savepoint: it goes on with its state; stateless: it begins anew; refuse: it is not changed."
        ),
    ] = "savepoint"

    @property
    def archive_entries(self) -> list[JobArchive]:
        """Its archives, each with the folder that it is unpacked into."""
        return [JobArchive(file=archive) if isinstance(archive, str) else archive for archive in self.archives]
