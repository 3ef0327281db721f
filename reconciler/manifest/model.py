"""
Common model of ``udfs.yaml``: what a manifest has whatever service it is for.

A kind of target extends it (`dialect`), and what comes of it is the source of the validation and of the JSON Schema.
Everything is frozen and strict, and unknown keys are refused. The reader hands over plain scalars as `Plain` strings,
because only the model knows what they mean: ``python: 3.10`` is a text, ``prefer: no`` is not a boolean, and the
arguments of a test are whatever YAML 1.2's core schema says.

Names, references and paths are judged in `checks`, where the whole manifest is in view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import Meta, field

from reconciler.base.line_ends import Rule
from reconciler.manifest.runtimes import Runtime, Service
from reconciler.manifest.section import NULL_IS_EMPTY, Section, keys_of

UNPRINTABLE = (
    r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"  # controls, but for tab and the two of a line's end
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that reorder text on screen
    r"\u2028\u2029\ufeff\ufffe\uffff"  # line breaks that editors do not show, and what is no character
)
"""Characters by which a reviewer sees something else than the tool reads; the inside of a regular expression's [ ]."""

Value: TypeAlias = Annotated[Any, Meta(description="Any YAML value; quote what should stay text.")]
TEXT = rf"^[^{UNPRINTABLE}\r]*$"
SHA256 = r"^[0-9a-f]{64}$"
STACK = r"^[a-z][a-z0-9-]{0,39}$"
ASCII = r"^[\x20-\x7e]*$"
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
DURATION = r"^[0-9]{1,4}[mhd]$"
LABEL = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"
BUNDLE = r"^(single|.{1,200}\.zip)$"
FULL_VERSION = r"^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$"
RUNTIME_TAG = r"^cp[0-9]{2,3}$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,99}$"

Text = Annotated[str, Meta(min_length=1, pattern=TEXT)]
Sha256 = Annotated[str, Meta(pattern=SHA256)]
StackName = Annotated[str, Meta(pattern=STACK)]
AsciiText = Annotated[str, Meta(pattern=ASCII, max_length=512)]
Label = Annotated[str, Meta(pattern=LABEL)]
FullVersion = Annotated[str, Meta(pattern=FULL_VERSION)]
RuntimeTag = Annotated[str, Meta(pattern=RUNTIME_TAG)]
VariableName = Annotated[str, Meta(pattern=VARIABLE)]
VariableValue = Annotated[
    Text,
    Meta(description="Text, whatever it looks like.", extra_json_schema={"type": ["string", "number", "boolean"]}),
]
Flag: TypeAlias = bool
Names = Annotated[list[Text], NULL_IS_EMPTY]

ROW_FILES = (".csv", ".jsonl", ".parquet")
"""How the name of a file of rows ends."""


class TargetKind(Section, frozen=True, kw_only=True):
    """The service that a manifest is for."""

    kind: str


class Target(Section, frozen=True, kw_only=True):
    """Where a manifest is applied."""

    advice_on_keys: ClassVar[str] = "credentials are never in a manifest"
    """The advice to somebody who writes one there."""

    variables: Annotated[
        dict[VariableName, VariableValue],
        NULL_IS_EMPTY,
        Meta(description="Values of ${var:NAME} for this target; they win over the top level's."),
    ] = field(default_factory=dict)

    def resolve(self, text: str) -> tuple[str, str | None]:
        """Return the name of what a function lists, and the whole reference where it lies elsewhere than in this target."""
        return text, None

    @property
    def settings(self) -> dict[str, str | None]:
        """The keys that a kind of target adds, with their values."""
        return {
            key.name: getattr(self, key.attribute) for key in keys_of(type(self)).values() if key.name != "variables"
        }

    @property
    def required(self) -> set[str]:
        """The keys without which there is no target."""
        return {key.name for key in keys_of(type(self)).values() if key.is_required}


class PinnedWheel(Section, frozen=True, kw_only=True):
    """A wheel of the package index, named so that it can only be one file."""

    requirement: Annotated[Text, Meta(description="Name and exact version: numpy==1.19.2")]
    sha256: Annotated[Sha256, Meta(description="Of the wheel file that fits the runtime.")]


WheelPath: TypeAlias = Annotated[Text, Meta(description="Path of a wheel file, relative to the manifest.")]
Wheel: TypeAlias = WheelPath | PinnedWheel


class CarriedLibrary(Section, frozen=True, kw_only=True):
    """A library that a wheel of the package index carries for itself, and that is taken out of it."""

    library: Annotated[Text, Meta(description="The name by which it is needed: libgomp.so.1")]
    from_: Annotated[Text, Meta(description="The distribution, as a requirement: scikit-learn==1.0.2")] = field(
        name="from"
    )


class Build(Section, frozen=True, kw_only=True):
    """How a package's source archives and projects become wheels, where the index has none that loads."""

    builder: Annotated[
        Literal["zig", "container"],
        Meta(
            description="'zig' compiles here, against the runtime's glibc; 'container' in a manylinux image, with the container "
            "engine of this machine."
        ),
    ] = "zig"
    requires: Annotated[
        Names, Meta(description="Build requirements that a project forgot to name: 'setuptools<60', 'cython'.")
    ] = field(default_factory=list)
    environment: Annotated[
        dict[VariableName, VariableValue], NULL_IS_EMPTY, Meta(description="Environment variables for the build.")
    ] = field(default_factory=dict)
    headers: Annotated[
        Names, Meta(description="Folders with headers to compile against, relative to the manifest.")
    ] = field(default_factory=list)
    libraries: Annotated[
        Names,
        Meta(
            description="Paths of .so files to link against that are put into the wheel; those of the package's own `libraries:` are "
            "linked against as well, and travel beside it."
        ),
    ] = field(default_factory=list)


class Package(Section, frozen=True, kw_only=True):
    """A group of distributions that functions name under `packages:`."""

    short: ClassVar[str] = "requirements"

    schema_extra: ClassVar[dict[str, Any]] = {
        "anyOf": [{"required": [key]} for key in ("requirements", "requirements_file", "wheels", "libraries")]
    }

    requirements: Annotated[
        list[Text],
        NULL_IS_EMPTY,
        Meta(
            description="What is needed, as pip takes it: 'scipy', 'numpy==1.21.6', 'requests[socks]>=2; python_version < \"3.8\"', or "
            "the path of a wheel, a source archive or a project's folder, beginning with './'. `udfs lock` resolves it."
        ),
    ] = field(default_factory=list)
    requirements_file: Annotated[
        Text | None,
        Meta(description="Path of a requirements.txt, relative to the manifest; its own -r and -c files count too."),
    ] = None
    constraints: Annotated[
        list[Text], NULL_IS_EMPTY, Meta(description="Versions that are allowed should they be needed: 'numpy<1.20'.")
    ] = field(default_factory=list)
    constraints_file: Annotated[
        Text | None, Meta(description="Path of a file of constraints, relative to the manifest.")
    ] = None
    prefer_binary: Annotated[
        Flag, Meta(description="Rather take an older version that has a wheel than build a newer one.")
    ] = False
    pre_release: Annotated[Flag, Meta(description="Take alpha, beta and release candidate versions too.")] = False
    no_deps: Annotated[Flag, Meta(description="Only what is listed; nothing that it needs.")] = False
    without: Annotated[Names, Meta(description="Distributions to leave out although something needs them.")] = field(
        default_factory=list
    )
    extra_index: Annotated[
        list[VariableName],
        NULL_IS_EMPTY,
        Meta(
            description="Environment variables that hold addresses of further package indexes, so that no password is in Git."
        ),
    ] = field(default_factory=list)
    index: Annotated[
        dict[Text, Label],
        NULL_IS_EMPTY,
        Meta(
            description="Distribution → the one index that it comes from, also where another is needed by it: an environment variable "
            "that holds the address, 'default', or 'extra-1' and so on, as udfs.lock names them. Left out, the first index that has it."
        ),
    ] = field(default_factory=dict)
    find_links: Annotated[
        Names, Meta(description="Folders with wheels and source archives, relative to the manifest.")
    ] = field(default_factory=list)
    build: Annotated[Build, Meta(description="How what has no wheel is built.")] = field(default_factory=Build)
    wheels: Annotated[
        list[Wheel],
        Meta(min_length=1),
        Meta(
            description="Paths of wheel files, or {requirement, sha256} for wheels of the package index; taken as they are, "
            "without anything that they need."
        ),
    ] = field(default_factory=list)
    libraries: Annotated[
        list[Text | CarriedLibrary],
        NULL_IS_EMPTY,
        Meta(
            description="Paths of .so files that the wheels need, relative to the manifest, or {library, from} for one that a wheel of "
            "the index carries (`udfs lock` finds it). Each is uploaded as a FILE under its SONAME, and every function that uses the "
            "package lists it."
        ),
    ] = field(default_factory=list)
    bundle: Annotated[
        Annotated[str, Meta(pattern=BUNDLE)] | None,
        Meta(
            description="'single' puts all wheels into one archive, called after the package and its content. A name, such as "
            "scipy.zip, does so too and stays the same, for code that relies on it. Left out, each wheel is an archive of its "
            "own, which packages and functions share."
        ),
    ] = None
    slim: Annotated[Flag, Meta(description="Leave out tests, headers, type stubs and sources of compiled code.")] = (
        False
    )
    exclude: Annotated[Names, Meta(description="Patterns as in .gitignore: files of the wheels that are left out.")] = (
        field(default_factory=list)
    )
    byte_compile: Annotated[
        Literal["keep", "drop"], Meta(description="What becomes of .pyc files that wheels bring; most bring none.")
    ] = "keep"

    @property
    def is_locked(self) -> bool:
        """Whether something of it is to be resolved."""
        return bool(self.requirements or self.requirements_file or self.wheel_libraries)

    @property
    def library_files(self) -> list[str]:
        """The libraries that lie in the manifest's folder."""
        return [library for library in self.libraries if isinstance(library, str)]

    @property
    def wheel_libraries(self) -> dict[int, CarriedLibrary]:
        """The libraries that wheels carry, by their places in the list."""
        return {number: library for number, library in enumerate(self.libraries) if isinstance(library, CarriedLibrary)}


Packages: TypeAlias = Annotated[dict[Label, Package], NULL_IS_EMPTY, Meta(description="Groups of wheels.")]


_LINE_ENDS = (
    "Line ends of text. git: as Git stores it, by its index and .gitattributes, and line feeds where it does not know the file; lf: line "
    "feeds; keep: as they are in this checkout."
)


class Resource(Section, frozen=True, kw_only=True):
    """A file that functions read, under the name of its key."""

    short: ClassVar[str] = "file"

    file: Annotated[
        Text | None,
        Meta(
            description="Path of the file, relative to the manifest; or of a folder, which is packed if the resource's name ends in "
            ".zip, .tar, .tgz or .tar.gz."
        ),
    ] = None
    exclude: Annotated[
        Names,
        Meta(
            description="With a folder: patterns as in .gitignore, files that are left out. What editors and file managers leave "
            "there (.DS_Store, *~, .idea) is left out anyway, but for !patterns."
        ),
    ] = field(default_factory=list)
    line_ends: Annotated[Rule | None, Meta(description=f"{_LINE_ENDS} Left out, the manifest's.")] = None
    protect: Annotated[Flag, Meta(description="true: never deleted, even when this entry is gone.")] = False


class Table(Section, frozen=True, kw_only=True):
    """What a table holds when functions run here; the service is never asked for it, nor told."""

    schema_extra: ClassVar[dict[str, Any]] = {"oneOf": [{"required": ["file"]}, {"required": ["rows"]}]}

    columns: Annotated[
        dict[Label, Text],
        Meta(min_length=1),
        Meta(
            description="Column → type, in the spelling of a signature: bigint, string, decimal(10,2), array<string>."
        ),
    ]
    file: Annotated[
        Text | None,
        Meta(
            description="Path of a .csv (the first line names the columns), .jsonl or .parquet, relative to the manifest."
        ),
    ] = None
    rows: Annotated[list[list[Value]] | None, Meta(description="Instead of `file`: the rows.")] = None


class Test(Section, frozen=True, kw_only=True):
    """One call and what must come of it."""

    schema_extra: ClassVar[dict[str, Any]] = {
        "oneOf": [{"required": ["returns"]}, {"required": ["raises"]}],
        "not": {"required": ["args", "rows"]},
    }

    args: Annotated[list[Value], NULL_IS_EMPTY, Meta(description="The arguments of one row.")] = field(
        default_factory=list
    )
    rows: Annotated[
        list[list[Value]] | None, NULL_IS_EMPTY, Meta(description="Instead of `args`: the arguments of several rows.")
    ] = None
    returns: Annotated[
        Value,
        Meta(
            description="The expected value: of an aggregate over all rows; of a table function the list of its rows; of another "
            "function over `rows` the list of its values."
        ),
    ] = None
    raises: Annotated[
        Text | None,
        Meta(description="Instead of `returns`: text that stands in the exception, such as ZeroDivisionError."),
    ] = None
    timeout: Annotated[
        int | None,
        Meta(
            ge=1,
            description="How many seconds it may take, here in place of --timeout, and by SQL in place of what the service allows.",
        ),
    ] = None
    verify: Annotated[
        Flag, Meta(description="false: the test runs here alone (`udfs test`), and `udfs verify` leaves it out.")
    ] = True

    @property
    def input(self) -> list[list[Any]]:
        """The rows of the call."""
        return [self.args] if self.rows is None else self.rows


class Function(Section, frozen=True, kw_only=True):
    """A function in Python."""

    short: ClassVar[str] = "source"
    elsewhere: ClassVar[Mapping[str, str]] = {
        **{
            key: f"it is a package's: packages: {{NAME: {{{key}: […]}}}}, and here packages: [NAME]"
            for key in ("requirements", "wheels", "libraries", "requirements_file", "constraints")
        },
        "file": "write source: for the Python file; what the function reads stands under the manifest's resources:",
        "name": "the name is the key: functions: {NAME: {source: …, class: …}}",
        "args": "an example belongs to a test: tests: [{args: […], returns: …}]",
    }

    source: Annotated[Text | None, Meta(description="Path of the Python file, relative to the manifest.")] = None
    python: str | None = None
    image: str | None = None
    isolation: Flag = False
    packages: Annotated[Names, Meta(description="Names from `packages:`.")] = field(default_factory=list)
    resources: Annotated[
        Names, Meta(description="Names from `resources:`, or project/resources/name for another project's.")
    ] = field(default_factory=list)
    modules: Annotated[
        Names,
        Meta(
            description="Modules of your own that the source imports: the path of a .py file, or of a folder that is a package, both by "
            "their last name. A file can be imported anywhere; a package, like `packages:`, inside methods."
        ),
    ] = field(default_factory=list)
    wire: Annotated[
        Flag,
        Meta(
            description="false: the source is uploaded byte for byte, and puts its packages on sys.path itself. Else a few lines are "
            "added behind it, where it has packages (`udfs build --source`)."
        ),
    ] = True
    description: Annotated[Text | None, Meta(description="What the function does, for people.")] = None
    protect: Annotated[Flag, Meta(description="true: never deleted, even when this entry is gone.")] = False
    tests: Annotated[list[Test], NULL_IS_EMPTY, Meta(description="Calls and what they must return.")] = field(
        default_factory=list
    )

    @property
    def is_contained(self) -> bool:
        """Whether it runs in a container of its own, and in no sandbox; that an image always does is a guess."""
        return self.isolation or self.image is not None

    @property
    def class_name(self) -> str:
        """The class of the source that the service constructs, without its module."""
        return ""


class Moved(Section, frozen=True, kw_only=True):
    """A new name for something that is deployed."""

    from_: Annotated[Text, Meta(description="The name it has in the project.")] = field(name="from")
    to: Annotated[Text, Meta(description="The name it has in this manifest, under `functions:` or `resources:`.")]


class Promotion(Section, frozen=True, kw_only=True):
    """What has to be true of another target before something is applied to this one."""

    short: ClassVar[str] = "after"

    after: Annotated[
        Text,
        Meta(description="The target that has to hold the same artifacts: for each function the same class and bytes."),
    ]
    verified: Annotated[
        Flag,
        Meta(description="true: and each function has passed its tests there (`udfs apply --verify`, `udfs verify`)."),
    ] = False


class Ignored(Section, frozen=True, kw_only=True):
    """What is left as somebody made it in the project."""

    object: Annotated[Text, Meta(description="The name of a function or resource; * and ? stand for other characters.")]
    what: Annotated[Sequence[str], Meta(description="The fields that may differ.")] = ()
    reason: Annotated[
        Text | None, Meta(description="Why it is left so; shown by plan and drift. Needed where `what` is left out.")
    ] = None
    until: Annotated[
        Annotated[str, Meta(pattern=DAY)] | None,
        Meta(description="The last day, such as 2026-12-31, in UTC. Needed where `what` is left out."),
    ] = None


class Manifest(Section, frozen=True, kw_only=True):
    """What belongs to one stack."""

    label: ClassVar[str] = "the manifest"
    service: ClassVar[Service] = Service("the service")

    stack: Annotated[StackName, Meta(description="Names what belongs together; marks every object that is managed.")]
    target: TargetKind
    rollout: Annotated[
        Literal["versioned", "in_place"],
        Meta(
            description="versioned: a source is uploaded under a name with its digest, and a function switches to it in one "
            "request; in_place: it is replaced under its own name."
        ),
    ] = "versioned"
    line_ends: Annotated[Rule, Meta(description=_LINE_ENDS)] = "git"
    grace: Annotated[
        str,
        Meta(pattern=DURATION),
        Meta(description="How long `udfs gc` leaves versions that no function lists any more: 30m, 24h, 7d."),
    ] = "24h"
    variables: Annotated[
        dict[VariableName, VariableValue], NULL_IS_EMPTY, Meta(description="Values of ${var:NAME}.")
    ] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    promote: Annotated[
        dict[Label, Promotion],
        NULL_IS_EMPTY,
        Meta(description="Target → the target before it, which has to hold the same artifacts first."),
    ] = field(default_factory=dict)
    ignore: Sequence[Ignored] = ()
    policy: Annotated[
        Text | None, Meta(description="Path of a policy file, relative to the manifest: what is allowed here.")
    ] = None
    after: Annotated[
        Names,
        Meta(
            description="Manifests of the same repository that `udfs ci` applies before this one: from the repository's top, or from this "
            "file where a path begins with ./ or ../."
        ),
    ] = field(default_factory=list)
    moved: Annotated[
        list[Moved],
        NULL_IS_EMPTY,
        Meta(description="New names: what is deployed under the old one goes when the new one is there."),
    ] = field(default_factory=list)

    # Not keys: a kind of target whose manifest has one of these makes it a key of its dialect.

    @property
    def python(self) -> str:
        """The tag of the runtime of functions that name none."""
        return ""

    @property
    def packages(self) -> Mapping[str, Package]:
        return {}

    @property
    def resources(self) -> Mapping[str, Resource]:
        return {}

    @property
    def functions(self) -> Mapping[str, Function]:
        return {}

    @cached_property
    def usable_runtimes(self) -> Mapping[str, Runtime]:
        """The Pythons of the service by their tags, with what the manifest says of each."""
        return {}

    def runtime(self, function: Function | None = None) -> Runtime:
        """Return the runtime of a function; without one, that of functions that name none."""
        return self.usable_runtimes[(function and function.python) or self.python]

    def installed_distributions(self, function: Function) -> Mapping[str, str | None]:
        """Return what the service has installed for a function: distribution → version, None where that is not published."""
        return {}

    def installed_modules(self, function: Function) -> tuple[str, ...]:
        """Return the modules that the service has for a function beside the standard library, sorted."""
        return ()

    @cached_property
    def resource_types(self) -> Mapping[str, str]:
        """For each resource, the type under which the service will know it."""
        return {}
