"""
Common model of ``udfs.yaml``: what a manifest has whatever service it is for.

A kind of target extends it (`dialect`), and what comes of it is the source of the validation and of the JSON Schema.
Everything is frozen and strict, and unknown keys are refused. The reader hands over plain scalars as `Plain` strings,
because only the model knows what they mean: ``python: 3.10`` is a text, ``prefer: no`` is not a boolean, and the
arguments of a test are whatever YAML 1.2's core schema says.

Names, references and paths are judged in `checks`, where the whole manifest is in view.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import Meta, field

from reconciler.base.line_ends import Rule
from reconciler.manifest.runtimes import Engine, Runtime, Service
from reconciler.manifest.section import NULL_IS_EMPTY, Section, keys_of

if TYPE_CHECKING:
    from pathlib import Path

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
RUNTIME_TAG = r"^(cp[0-9]{2,3}|(python|custom)[a-z0-9._]{0,40})$"
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
Without: TypeAlias = Annotated[Names, Meta(description="Distributions to leave out although something needs them.")]
ExtraIndexes: TypeAlias = Annotated[
    list[VariableName],
    NULL_IS_EMPTY,
    Meta(
        description="Environment variables that hold addresses of further package indexes, so that no password is in Git."
    ),
]
LinkFolders: TypeAlias = Annotated[
    Names, Meta(description="Folders with wheels and source archives, relative to the manifest.")
]

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
    programs: Annotated[
        Names,
        Meta(
            description="Programs that a project asks where its libraries are, such as pg_config or gdal-config: its build and its "
            "metadata find them first on the PATH."
        ),
    ] = field(default_factory=list)
    libraries: Annotated[
        Names,
        Meta(
            description="Paths of .so files to link against that are put into the wheel; those of the package's own `libraries:` are "
            "linked against as well, and travel beside it."
        ),
    ] = field(default_factory=list)


class WheelGroup(Section, frozen=True, kw_only=True):
    """Distributions that are shipped together, as wheels."""

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
    without: Without = field(default_factory=list)
    extra_index: ExtraIndexes = field(default_factory=list)
    index: Annotated[
        dict[Text, Label],
        NULL_IS_EMPTY,
        Meta(
            description="Distribution → the one index that it comes from, also where another is needed by it: an environment variable "
            "that holds the address, 'default', or 'extra-1' and so on, as udfs.lock names them. Left out, the first index that has it."
        ),
    ] = field(default_factory=dict)
    find_links: LinkFolders = field(default_factory=list)
    build: Annotated[Build, Meta(description="How what has no wheel is built.")] = field(default_factory=Build)
    wheels: Annotated[
        list[Wheel],
        Meta(min_length=1),
        Meta(
            description="Paths of wheel files, or {requirement, sha256} for wheels of the package index; taken as they are, "
            "without anything that they need."
        ),
    ] = field(default_factory=list)
    slim: Annotated[Flag, Meta(description="Leave out tests, headers, type stubs and sources of compiled code.")] = (
        False
    )
    exclude: Annotated[Names, Meta(description="Patterns as in .gitignore: files of the wheels that are left out.")] = (
        field(default_factory=list)
    )
    byte_compile: Annotated[
        Literal["keep", "drop"], Meta(description="What becomes of .pyc files that wheels bring; most bring none.")
    ] = "keep"


class Package(WheelGroup, frozen=True, kw_only=True):
    """A group of distributions that functions name under `packages:`."""

    short: ClassVar[str] = "requirements"

    schema_extra: ClassVar[dict[str, Any]] = {
        "anyOf": [{"required": [key]} for key in ("requirements", "requirements_file", "wheels", "libraries", "debian")]
    }

    libraries: Annotated[
        list[Text | CarriedLibrary],
        NULL_IS_EMPTY,
        Meta(
            description="Paths of .so files that the wheels need, relative to the manifest, or {library, from} for one that a wheel of "
            "the index carries (`udfs lock` finds it). Each is uploaded as a FILE under its SONAME, and every function that uses the "
            "package lists it."
        ),
    ] = field(default_factory=list)
    debian: Annotated[
        Names,
        Meta(
            description="Debian packages, for services with layers: 'libgdal32', or with a condition: 'libgdal32 (>= 3.6)'. `udfs lock` "
            "finds what belongs to them; libraries go to lib/ under their SONAME, programs to bin/, data to share/."
        ),
    ] = field(default_factory=list)
    suite: Annotated[
        Literal["stretch", "buster", "bullseye", "bookworm", "trixie"] | None,
        Meta(
            description="The suite of Debian that `debian` names packages of; left out, that of the runtime's system."
        ),
    ] = None
    base: Annotated[
        Names,
        Meta(
            description="Debian packages that the runtime's system has, beside what every Debian has: they are not shipped, nor what they "
            "need."
        ),
    ] = field(default_factory=list)
    recommends: Annotated[Flag, Meta(description="Also what Debian packages recommend.")] = False
    layout: Annotated[
        Literal["flat", "tree"],
        Meta(description="Of Debian packages. flat: lib/, bin/ and share/, without links; tree: Debian's own paths."),
    ] = "flat"
    keep: Annotated[
        Names,
        Meta(
            description="Patterns as in .gitignore over Debian's paths: files of Debian packages that stay although `slim` or `exclude` "
            "names them."
        ),
    ] = field(default_factory=list)
    find_library: Annotated[
        Literal["patch"] | None,
        Meta(
            description="patch: a sitecustomize.py beside the modules lets ctypes.util.find_library find the libraries that are shipped; "
            "without ldconfig and a compiler it finds none."
        ),
    ] = None
    bundle: Annotated[
        Annotated[str, Meta(pattern=BUNDLE)] | None,
        Meta(
            description="'single' puts all wheels into one archive, called after the package and its content. A name, such as "
            "scipy.zip, does so too and stays the same, for code that relies on it. Left out, each wheel is an archive of its "
            "own, which packages and functions share."
        ),
    ] = None

    @property
    def is_locked(self) -> bool:
        """Whether something of it is to be resolved."""
        return self.has_requirements or bool(self.debian)

    @property
    def has_requirements(self) -> bool:
        """Whether wheels are to be resolved."""
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
            description="With a folder: patterns as in .gitignore, files that are left out. What tools leave there (.DS_Store, *~, "
            ".idea), virtual environments and .env files are left out anyway, but for !patterns."
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

    elsewhere: ClassVar[Mapping[str, str]] = dict.fromkeys(("expected", "expect", "result", "output"), "write returns:")
    schema_extra: ClassVar[dict[str, Any]] = {"oneOf": [{"required": ["returns"]}, {"required": ["raises"]}]}

    returns: Annotated[Value, Meta(description="The expected value.")] = None
    raises: Annotated[
        Text | None,
        Meta(description="Instead of `returns`: text that stands in the exception, such as ZeroDivisionError."),
    ] = None
    timeout: Annotated[int | None, Meta(ge=1, description="How many seconds it may take.")] = None
    verify: Annotated[
        Flag,
        Meta(description="false: the test runs here alone (`udfs test`), and `udfs verify` leaves it out."),
    ] = True

    @property
    def input(self) -> list[list[Any]]:
        """The rows of the call."""
        return [[]]

    @property
    def is_single(self) -> bool:
        """Whether it is one call with one value."""
        return True


class RowTest(Test, frozen=True, kw_only=True):
    """One call and what must come of it."""

    elsewhere: ClassVar[Mapping[str, str]] = {
        **Test.elsewhere,
        **dict.fromkeys(
            ("arguments", "params", "input", "inputs"), "write args: […], or rows: [[…], …] for several rows"
        ),
    }
    schema_extra: ClassVar[dict[str, Any]] = {**Test.schema_extra, "not": {"required": ["args", "rows"]}}

    args: Annotated[list[Value], NULL_IS_EMPTY, Meta(description="The arguments of one row.")] = field(
        default_factory=list
    )
    rows: Annotated[
        list[list[Value]] | None,
        NULL_IS_EMPTY,
        Meta(
            description="Instead of `args`: the arguments of several rows, for an aggregate or a function over many rows at once."
        ),
    ] = None
    returns: Annotated[
        Value,
        Meta(
            description="The expected value: of an aggregate over all rows; of a table function the list of its rows; of another "
            "function over `rows` the list of its values."
        ),
    ] = None

    @property
    def input(self) -> list[list[Any]]:
        return [self.args] if self.rows is None else self.rows

    @property
    def is_single(self) -> bool:
        return self.rows is None


class Function(Section, frozen=True, kw_only=True):
    """A function in Python."""

    short: ClassVar[str] = "source"
    elsewhere: ClassVar[Mapping[str, str]] = {
        key: f"it is a package's: packages: {{NAME: {{{key}: […]}}}}, and here packages: [NAME]"
        for key in ("requirements", "wheels", "libraries", "requirements_file", "constraints")
    }

    source: Annotated[Text | None, Meta(description="Path of the Python file, relative to the manifest.")] = None
    packages: Annotated[Names, Meta(description="Names from `packages:`.")] = field(default_factory=list)
    description: Annotated[Text | None, Meta(description="What the function does, for people.")] = None
    protect: Annotated[Flag, Meta(description="true: never deleted, even when this entry is gone.")] = False

    # Not keys: a kind of target whose functions have one of these makes it a key of its dialect.

    @property
    def tests(self) -> Sequence[Test]:
        return ()

    @property
    def python(self) -> str | None:
        """The tag of its runtime; None where it is the manifest's."""
        return None

    @property
    def image(self) -> str | None:
        return None

    @property
    def isolation(self) -> bool:
        return False

    @property
    def resources(self) -> Sequence[str]:
        """Names of what it reads beside its source."""
        return ()

    @property
    def exclude(self) -> Sequence[str]:
        """Where the source is a folder: patterns of files that are left out."""
        return ()

    @property
    def companions(self) -> Mapping[str, Path]:
        """Files of the tool's own that are put beside the code: name → the file."""
        return {}

    @property
    def modules(self) -> Sequence[str]:
        """Paths of modules of the user's own that the source imports."""
        return ()

    @property
    def wire(self) -> bool:
        """Whether lines are added behind the source where it has packages."""
        return False

    @property
    def is_contained(self) -> bool:
        """Whether it runs in a container of its own, and in no sandbox; that an image always does is a guess."""
        return self.isolation or self.image is not None

    @property
    def class_name(self) -> str:
        """The class of the source that the service constructs, without its module."""
        return ""

    # Not keys: a kind of target that has layers makes them some.

    @property
    def layers(self) -> Sequence[str]:
        """Names from `layers:`, in the order in which they are laid over each other."""
        return ()

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that the function sees."""
        return {}


class WorkerEnvironment(Section, frozen=True, kw_only=True):
    """An interpreter with packages, in one archive that workers run from."""

    short: ClassVar[str] = "requirements"

    python: Annotated[str, Meta(description="The Python: cp311, say.")]
    interpreter: Annotated[
        Text | None,
        Meta(
            description="The CPython that is packed: the path of its folder, or of its program, on the machine that builds. Left out, one of "
            "this machine is looked for."
        ),
    ] = None
    builder: Annotated[
        Literal["container"] | None,
        Meta(
            description="'container': the CPython of a manylinux2014 image is packed, which loads on every system there is; it takes the "
            "container engine of this machine."
        ),
    ] = None
    archive: Annotated[
        Text | None,
        Meta(
            description="Instead of everything else: the path of a finished archive, which is checked and taken as it is."
        ),
    ] = None
    program: Annotated[Text, Meta(description="With `archive`: the path of the interpreter in it.")] = "venv/bin/python"


class Layer(Section, frozen=True, kw_only=True):
    """Packages in one folder that functions share."""

    short: ClassVar[str] = "packages"

    packages: Annotated[list[Text], Meta(min_length=1), Meta(description="Names from `packages:`.")]
    runtimes: Annotated[
        Sequence[Text],
        Meta(min_length=1),
        Meta(description="The runtimes that it is for; of each the wheels and the Debian packages are its own."),
    ]
    description: Annotated[Text | None, Meta(description="What is in it, for people.")] = None


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
    elsewhere: ClassVar[Mapping[str, str]] = {
        "name": "write stack:",
        "project": "it is a target's: targets: {NAME: {project: …}}",
        "requirements": "they are a package's: packages: {NAME: {requirements: […]}}, and in functions: packages: [NAME]",
    }
    service: ClassVar[Service] = Service("the service")

    stack: Annotated[StackName, Meta(description="Names what belongs together; marks every object that is managed.")]
    target: TargetKind
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
    include: Annotated[
        Names,
        Meta(
            description="Files that have more of this manifest's packages, resources, functions and the like, by folder or by team. Their "
            "paths, too, begin at this file. No name may stand in two of them."
        ),
    ] = field(default_factory=list)
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
    def rollout(self) -> Literal["versioned", "in_place"]:
        """Whether contents are uploaded under names that tell them apart, or under the names of the manifest."""
        return "versioned"

    @property
    def packages(self) -> Mapping[str, Package]:
        return {}

    @property
    def layers(self) -> Mapping[str, Layer]:
        return {}

    @property
    def environments(self) -> Mapping[str, WorkerEnvironment]:
        return {}

    @property
    def engine(self) -> Engine | None:
        """What starts the interpreters of environments, where a service has such."""
        return None

    @property
    def shipped_files(self) -> Mapping[str, tuple[str | int, ...]]:
        """Files that are sent as they are, beside those of resources and functions: path → where it stands."""
        return {}

    def package_keys(self, name: str) -> tuple[str, str]:
        """Return where a package stands in the manifest."""
        return ("packages", name)

    @property
    def other_uses(self) -> Iterable[tuple[str, str]]:
        """What else than functions and layers uses packages: pairs of a package and the tag of the Python that imports it."""
        return ()

    @property
    def resources(self) -> Mapping[str, Resource]:
        return {}

    @property
    def functions(self) -> Mapping[str, Function]:
        return {}

    @property
    def leading(self) -> Iterable[str]:
        """Names of what carries the rest: of functions, and of jobs where there are any."""
        return self.functions

    @property
    def tests(self) -> Mapping[str, Sequence[Test]]:
        """Those of each function."""
        return {name: function.tests for name, function in self.functions.items()}

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
