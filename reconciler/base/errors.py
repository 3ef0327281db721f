"""
Every error a user can meet: what is said, where, what to do next, and the exit code.

A `Problem` is one finding with its place. A `UdfsError` carries one or many of them and ends the command; each
subclass has one exit code, so that a pipeline can tell the causes apart. ``cli`` is the one place that catches and
prints. Anything else is a bug (E999) and keeps its traceback, except what the system says of a file (E904).

Codes are grouped by where they arise: E1 reading YAML, E2 the shape of the manifest, E3 its names and references,
E4 packages and files, E5 guards and ownership, E6 the service, E7 running a function, E8 sources, E9 usage.
`EXPLANATIONS` holds what ``udfs explain CODE`` prints; a test keeps the table and the code in step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

EXIT_CODES = {
    0: "done, or nothing to do",
    1: "the service failed, or an unexpected error",
    2: "changes or drift are present (plan --exit-code, drift)",
    3: "invalid manifest or usage",
    4: "authentication or permission",
    5: "refused by a guard, a policy or ownership",
    6: "the plan is stale",
    7: "the lease is held by another",
    8: "partly applied",
    9: "a test failed, here or in the project",
    130: "interrupted",
}
"""The contract with pipelines."""


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file; line and column count from 1, columns in characters."""

    file: str
    """As the user named it, or relative to the working directory."""

    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    code: str
    message: str
    """One sentence without a full stop; names are quoted with '…'."""

    at: Position | None = None
    hint: str | None = None
    """What to do now."""

    source: str | None = None
    """The line of text at `at`, for the caret."""

    width: int = 1
    """How many characters of `source` the caret underlines."""

    severity: Literal["error", "warning"] = "error"
    detail: tuple[str, ...] = ()
    """Lines that follow: a traceback, the places that were looked at."""


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems by their places, and at one place by code; what has no place comes last."""
    return sorted(problems, key=lambda one: (one.at or Position("~", 0, 0), one.code))


class UdfsError(Exception):
    """Something a person can act on."""

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        at: Position | None = None,
        source: str | None = None,
        detail: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.problems: tuple[Problem, ...] = (Problem(code, message, at, hint, source, detail=detail),)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> UdfsError:
        """Make one error of several findings, in the order of their places."""
        found = in_order(problems)
        error = cls(found[0].code, found[0].message)
        error.problems = tuple(found)
        return error

    def __str__(self) -> str:
        return "; ".join(p.message for p in self.problems)


class InvalidManifest(UdfsError):
    """The manifest, or a file it names, cannot be used."""

    exit_code = 3


class UsageError(UdfsError):
    """The command line asks for something that cannot be."""

    exit_code = 3


class PackageError(UdfsError):
    """A wheel or another file is missing, damaged, or made for another Python."""

    exit_code = 3


class InterpreterError(UdfsError):
    """No CPython of the function's runtime is on this machine."""

    exit_code = 3


class ServiceError(UdfsError):
    """MaxCompute could not be reached, or answered with an error or something that is not an answer."""

    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        at: Position | None = None,
        source: str | None = None,
        status: int | None = None,
        service_code: str | None = None,
        outcome: Literal["safe", "unknown", "final"] = "final",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, message, hint=hint, at=at, source=source)
        self.status = status
        """The HTTP status, where there was an answer."""
        self.service_code = service_code
        """The service's own word for it, such as ``NoSuchObject``."""
        self.outcome = outcome
        """Of a write: *safe* if the service did not act, *unknown* if it may have, *final* if trying again is no use."""
        self.retry_after = retry_after
        """Seconds that the service asks to be left alone, if it said so."""


class AccessError(ServiceError):
    """The service refuses the credentials, or the account lacks a permission."""

    exit_code = 4


class Refused(UdfsError):
    """A guard or the rules of ownership forbid the change."""

    exit_code = 5


class StalePlan(UdfsError):
    """An object is no longer what the plan was made against."""

    exit_code = 6


class LeaseHeld(UdfsError):
    """Somebody else is applying the same stack."""

    exit_code = 7


class PartlyApplied(UdfsError):
    """Some changes were made and then one failed."""

    exit_code = 8


class MachineError(UdfsError):
    """This machine's disk or streams do not do what is needed: no fault of the manifest, nor of the service."""

    exit_code = 1


class TestsFailed(UdfsError):
    """A test of the manifest did not come out as it says."""

    exit_code = 9


class FunctionFailed(UdfsError):
    """The user's function raised, or its process died."""

    exit_code = 1


def at(problem: Problem, position: Position | None, source: str | None = None) -> Problem:
    """Return `problem` at a place, unless it has one."""
    return problem if problem.at else replace(problem, at=position, source=source)


def count(number: int, noun: str) -> str:
    """Return ``1 object`` or ``2 objects``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True)
class Explanation:
    """What ``udfs explain`` says about a code."""

    title: str
    text: str


EXPLANATIONS: dict[str, Explanation] = {}
"""Code → explanation, filled from the table below."""


def _explain(code: str, title: str, text: str) -> None:
    EXPLANATIONS[code] = Explanation(title, " ".join(text.split()))


# --- E1: reading YAML -------------------------------------------------------------------------------------------------
_explain(
    "E101",
    "the manifest cannot be read",
    """
    The file is missing, is not a regular file, or may not be read. Name it with -f, or run `udfs init` to write a
    starter.""",
)
_explain(
    "E102",
    "not UTF-8",
    """
    A manifest is UTF-8 text without a byte order mark. UTF-16 and Latin-1 files are refused rather than guessed at,
    because a wrong guess changes names.""",
)
_explain(
    "E103",
    "a control or bidirectional character",
    """
    Control characters and the Unicode marks that reorder text on screen let a reviewer see something else than the
    tool reads. They are refused everywhere in a manifest, comments included.""",
)
_explain(
    "E104",
    "too large",
    """
    A manifest holds at most 8 MB. Split what one team owns into stacks, one manifest each.""",
)
_explain(
    "E105",
    "nested too deep",
    """
    More than 64 levels. The manifest itself needs six; deeper text is a mistake or an attack on the parser.""",
)
_explain(
    "E106",
    "anchors and aliases are not taken",
    """
    `&name` and `*name` make one text mean another's, and a few hundred bytes of them expand to millions of values.
    Write the value out, or use `${var:NAME}`.""",
)
_explain(
    "E107",
    "tags are not taken",
    """
    `!tag` and `!!python/…` ask the parser to build objects. A manifest holds text, lists and mappings only.""",
)
_explain(
    "E108",
    "merge keys are not taken",
    """
    `<<` copies one mapping into another, out of sight of the reader. Write the keys out.""",
)
_explain(
    "E109",
    "more than one document",
    """
    A manifest is one YAML document; what follows `---` would be silently ignored by many tools.""",
)
_explain(
    "E110",
    "duplicate key",
    """
    YAML parsers usually keep the last of two equal keys, so half of the text would be ignored. Both places are
    named; keep one.""",
)
_explain(
    "E111",
    "not YAML",
    """
    The text cannot be parsed. The place is where the parser gave up; the cause is often a line above: a tab, a
    missing space after `:`, an open quote.""",
)
_explain(
    "E112",
    "empty",
    """
    There is nothing in the manifest. `udfs init` writes a starter.""",
)
_explain(
    "E113",
    "directives are not taken",
    """
    `%YAML` and `%TAG` change what the text below them means. A manifest needs neither.""",
)
_explain(
    "E114",
    "a key that is not a text",
    """
    YAML lets lists and mappings be keys. In a manifest a key is a name; the cause is mostly an unquoted value that
    begins with { or [.""",
)

# --- E2: the shape of the manifest --------------------------------------------------------------------------------------
_explain(
    "E201",
    "a required key is missing",
    """
    `stack` and `functions` are always needed, a function needs `class`, a resource needs `file` or `table`, a package
    something to ship, in its requirements file too, and a test `returns` or `raises`.""",
)
_explain(
    "E202",
    "the wrong kind of value",
    """
    A mapping, list or text stands where another is expected. Plain values stay text until the manifest's model types
    them: `python: 3.10` is the text '3.10', `no` is the text 'no'; true and false are the only booleans.""",
)
_explain(
    "E203",
    "a value that is not taken",
    """
    The value is outside the list or the form that this key takes. The hint names what is taken.""",
)
_explain(
    "E204",
    "keys that exclude each other",
    """
    Two keys say the same thing in two ways, so one of them would be ignored. Keep one.""",
)
_explain(
    "E214",
    "unknown key",
    """
    Keys that the tool does not know are refused rather than ignored: a typo in a key would otherwise be a setting
    that silently does nothing. The schema of the manifest: `udfs schema`.""",
)

# --- E3: names and references -------------------------------------------------------------------------------------------
_explain(
    "E301",
    "an undeclared package or resource",
    """
    A function names a package that `packages:` does not declare, or a resource that `resources:` does not. Another
    project's resource is named in full: project/resources/name.""",
)
_explain(
    "E302",
    "a name MaxCompute would not take",
    """
    Function names hold letters, digits, `_` and `.`; resource names also `-` and `+`. The service publishes no rule
    for resource names: this is what its own documentation uses. `/` separates project from name, `.part.tmp.` is
    what clients call the parts of an upload, and names that begin with `udfs.` are kept for the ledger.""",
)
_explain(
    "E303",
    "names that differ only in case",
    """
    MaxCompute looks names up without regard to case, so the two would be one object and each apply would overwrite
    one with the other.""",
)
_explain(
    "E304",
    "a path outside the manifest's folder",
    """
    Paths are relative to the manifest and stay inside its folder, symbolic links resolved, so that a manifest means
    the same in every checkout and cannot upload what is not in Git.""",
)
_explain(
    "E305",
    "a file that is not there",
    """
    The path names nothing, or not a regular file.""",
)
_explain(
    "E306",
    "an undefined variable, or one that a manifest does not get",
    """
    `${env:NAME}` is read from the environment, and only under `targets:`; `${var:NAME}` from `variables:` and the
    target's own `variables:`. Write `$${` for the characters themselves. What is called like a credential (SECRET, TOKEN,
    PASSWORD, ACCESS_KEY, …) is not read, since a plan prints what a manifest takes, and an apply uploads it.""",
)
_explain(
    "E307",
    "an unknown target",
    """
    `--target` names what `targets:` does not declare, or there are several and none was named. Without --target the
    target called `local` is used, or the only one. An empty name, as of a variable that is not set, is not taken for that.""",
)
_explain(
    "E308",
    "a function without code of its own",
    """
    Functions of MaxCompute have no comment in which to mark who manages them, so the mark sits on a resource of the
    function: the module that holds its class, or else the first resource that this manifest manages. A function
    with neither could not be told from a stranger's.""",
)
_explain(
    "E309",
    "two files for one name",
    """
    Two sources, wheels or resources would be uploaded under one name. Rename one of the files.""",
)
_explain(
    "E310",
    "the class does not fit the source",
    """
    With `source: path/name.py` the class is `Class` or `name.Class`; the module is the file's stem, because that is
    what MaxCompute imports. Without a source, `class` is `module.Class` and `module.py` or a jar must be among the
    function's resources; `module.py` is of type PY, which nothing else is imported by.""",
)
_explain(
    "E311",
    "the type does not fit the name",
    """
    MaxCompute chooses how to unpack an archive by the end of its name (.zip .tgz .tar.gz .tar .jar), imports a .py
    by its stem, and does not know .whl: wheels go under `packages:` and are uploaded as .zip.""",
)
_explain(
    "E312",
    "declared and never used",
    """
    A warning: no function names the package, so nothing of it would be uploaded. Name it or remove it.""",
)
_explain(
    "E313",
    "listed twice",
    """
    A list names one thing two times. Order matters to what Python finds first, so which of the two counts should not
    be left open. Keep one.""",
)
_explain(
    "E370",
    "one source, wired and not wired",
    """
    Where a function has packages, a few lines are added behind its source that put them on sys.path; `wire: false` leaves
    them out. Functions of one source share the module that is uploaded, so it can only be the one or the other.""",
)
_explain(
    "E371",
    "one class, two sets of libraries",
    """
    The lines that are added behind a source load the native libraries of a class before its first object is made. They
    go by the class: two functions of one class that list different libraries cannot be told apart.""",
)
_explain(
    "E372",
    "a module that cannot be imported by its name",
    """
    `modules:` takes .py files and folders, and they are imported by the last part of their path, without .py: letters,
    digits and _, and no word that Python keeps for itself. A package of a Python 2.7 function has an __init__.py.""",
)
_explain(
    "E373",
    "a package that nobody finds",
    """
    A folder of `modules:` is uploaded as an archive, which the lines behind a source put on sys.path. Without a source, or
    with `wire: false`, there are no such lines. Single files are PY resources, and can be imported without.""",
)
_explain(
    "E374",
    "two modules of one name",
    """
    Modules are imported by their plain names, so that of two in one list only one could be.""",
)
_explain(
    "E375",
    "an image that may not do",
    """
    A warning: a built-in image has Python 3.7 and 3.11 and no other, or the name is nearly that of one. What an image of your own
    has is not known to udfs, and whatever a function imports may be in it.""",
)

# --- E4: packages and files -----------------------------------------------------------------------------------------------
_explain(
    "E401",
    "a wheel for another Python or platform",
    """
    The wheel's tags name an interpreter, ABI or platform that the runtime does not load: MaxCompute runs cp27m (not
    cp27mu), cp37m and cp311 on glibc 2.17 or older, so musl, macOS, Windows and manylinux above 2.17 cannot
    work. What is assumed of the clusters can be set: `runtimes: {cp37: {platform: rhel5}}` for those that take manylinux1
    only, `aarch64` for ARM64. Of a wheel that came from the package index, the newest version that has a fitting one is named;
    the index is asked for it only now, a few seconds long.""",
)
_explain(
    "E402",
    "the bytes are not the ones that were pinned",
    """
    The sha256 differs from the one in the manifest, or is that of another package's wheel. Either the pin is wrong or
    the file was changed; nothing is uploaded until they agree. A version has one wheel for each Python and platform, each
    with a sha256 of its own, so a pin copied from the wrong line of a list is the commonest cause. The same is said of a
    file that changed between the plan and its upload: what was shown is what is sent, or nothing.""",
)
_explain(
    "E403",
    "the wheel cannot be fetched",
    """
    The package index configured on this machine (pip's configuration and environment) did not give a wheel with this
    version and sha256 for the runtime. What pip said is shown, without credentials. `pip config list` shows which index
    is used; the same settings, proxies and certificates count here. Source archives are not taken: building one runs
    its code. Relative paths in pip's settings are not found, because pip runs in a folder of its own.""",
)
_explain(
    "E404",
    "not a pinned requirement",
    """
    A wheel is named by an exact version and the sha256 of its file, so that the same manifest always means the same
    bytes: {requirement: numpy==1.19.2, sha256: …}.""",
)
_explain(
    "E405",
    "too large",
    """
    MaxCompute takes resources of at most 2,048 MB, and one job may use at most 2,048 MB of them in all (E430).""",
)
_explain(
    "E406",
    "not a wheel",
    """
    The file is not a zip archive, has no .dist-info/WHEEL, or its name is not a wheel's:
    name-version-python-abi-platform.whl.""",
)
_explain(
    "E407",
    "the cache cannot be written",
    """
    Fetched wheels are kept in a folder of the user's cache, each under its sha256. The disk is full, or the folder
    belongs to somebody else. Everything in it can be deleted; it is fetched again when it is needed.""",
)

_explain(
    "E410",
    "a native file for another machine",
    """
    MaxCompute's workers are 64-bit Linux, x86 unless `runtimes:` says aarch64. A file for another processor, or a 32-bit one, is refused by the dynamic
    linker as "wrong ELF class" or not found at all. A wheel's tag may say otherwise; the file decides.""",
)
_explain(
    "E411",
    "a native file that cannot be read",
    """
    The file begins like a library and its headers lead nowhere, or it is listed under `libraries:` and is none. It was
    cut off, changed by a tool (git's line ends, a mail gateway), or is a linker script that names the real library.""",
)
_explain(
    "E412",
    "a native file for a newer system",
    """
    Each symbol that a library takes from glibc or from GCC's runtime has a version, and a system older than that version
    refuses to load it: "version `GLIBC_2.34' not found". The workers are comparable to CentOS 7 (glibc 2.17, GLIBCXX
    3.4.19, CXXABI 1.3.7, GCC 4.8.0; inferred from that). What is built on a current distribution nearly always needs more.
    Build in a manylinux2014 container or with a compiler that is told the glibc. `udfs libs FILE` shows every version.""",
)
_explain(
    "E413",
    "a native file linked with musl",
    """
    It was built on Alpine or another system with the musl C library, which cannot be loaded beside glibc.""",
)
_explain(
    "E414",
    "a native file for another Python's Unicode",
    """
    Python 2 was built with narrow (cp27m) or wide (cp27mu) Unicode, and the functions an extension takes from it are
    called PyUnicodeUCS2_… or PyUnicodeUCS4_… accordingly. MaxCompute's Python 2 is narrow; Debian's and most others are
    wide, and a wheel that was built there ends with "undefined symbol". Python 3 has neither.""",
)
_explain(
    "E415",
    "a native library is missing",
    """
    A native file needs a library that is not in the same archive, not under the `libraries:` of a package of the function,
    not among its resources, and not in the base system. The name is the library's SONAME, which is what counts, and not
    the name of its file. `udfs libs FILE…` shows for any set of files which needs are met by what.""",
)
_explain(
    "E416",
    "a native library that may be missing",
    """
    A warning: the library is in another archive of the function, where it is found only after that one was loaded; or it
    is one that manylinux permits and a server may lack (X11, GL, glib); or it is libpython, which an extension should not
    need; or another project's resource may bring it.""",
)
_explain(
    "E417",
    "compiled code in an archive that nobody unpacks",
    """
    A warning: the resource is of type FILE, and holds an archive with native files. Only ARCHIVE resources are unpacked to
    work/NAME/, and no native file is loaded from inside an archive. PyODPS refuses such a package at run time: "We do not
    allow file-type resource for binary packages. Please upload an archive-typed resource instead." A function that unpacks it
    by itself needs isolation for that.""",
)
_explain(
    "E420",
    "a wheel that is not as its RECORD says",
    """
    A wheel lists its files with their hashes in .dist-info/RECORD. A file is missing, additional, or has other bytes: the
    wheel was edited, merged or damaged after it was built. Tools that change wheels properly write RECORD anew.""",
)
_explain(
    "E421",
    "an archive with members that must not be unpacked",
    """
    Of an archive, or of a folder that would become one. Absolute paths, `..`, links, devices, names that come twice or differ only in case, encrypted members, unusual
    compression: what a worker would do with them is not known, and some are attacks. Archives hold plain files and
    folders.""",
)
_explain(
    "E422",
    "an archive that expands too far",
    """
    The archive unpacks to more than any real one would, in bytes, in files, or in proportion to its size. The limits are
    udfs's own, far above what can be uploaded usefully.""",
)
_explain(
    "E423",
    "not an archive",
    """
    MaxCompute unpacks a resource by the end of its name: .zip and .jar as zip, .tar .tgz .tar.gz as tar. The bytes are not
    of that form, so every function that lists it would fail to start.""",
)
_explain(
    "E424",
    "wheels that cannot be one archive",
    """
    `bundle: single` puts the files of all wheels of a package into one archive, where each path can have one content. Two
    wheels bring different files under one path, or paths that differ only in case, or one has a folder where the other has
    a file; a `.data` part may also land on a file of its own wheel. The same file twice is fine, and so are the
    __init__.py of a namespace package. Leave out `bundle`, or leave a file that nobody needs out with `exclude:`.""",
)
_explain(
    "E425",
    "a pattern that leaves nothing out",
    """
    A warning: no file of the package's wheels, or of the resource's folder, has a path that a pattern of `exclude:` names.
    Patterns are read as in .gitignore, over paths in the archive: `tests/` is every folder of that name, `/bin/` only the
    one at the top, `*.c` every file that ends so.""",
)

_explain(
    "E426",
    "a folder without files",
    """
    A resource whose `file:` is a folder is packed into one archive, and nothing is left to pack: the folder is empty, holds
    only __pycache__, or `exclude:` names everything in it. Git keeps no empty folders, so a fresh checkout may lack one.""",
)

_explain(
    "E427",
    "a package that cannot be imported any more",
    """
    `slim`, `exclude` or `byte_compile` left something out without which a top-level module of the package cannot be
    imported, though it can with everything in it. Both were tried in the runtime's own CPython on this machine. Leave out
    less: a pattern that begins with ! takes a file back, and slim can go.""",
)
_explain(
    "E428",
    "nobody tried whether something is missed",
    """
    A warning: something is left out of a package, and whether it can still be imported was not checked. Either no CPython of
    the runtime is on this machine (`udfs doctor`), or a module cannot be imported even with everything in the package, most
    often because it needs another package of the function. The check imports the top-level modules, once for the same bytes;
    a file that is opened or imported later, deep inside, shows only when a function runs.""",
)

_explain(
    "E430",
    "a function with too much to load",
    """
    One job may use at most 2,048 MB of resources, and a single function lists more than that. That MB means MiB is a guess.
    `udfs deps FUNCTION` shows what is how large.""",
)
_explain(
    "E431",
    "a function with very many resources",
    """
    A warning: a MapReduce job takes at most 256 resources. Whether SQL has the same limit is not published.""",
)
_explain(
    "E432",
    "one import name from several resources",
    """
    A warning: two wheels of a function bring a module or package of one name, or a Python resource is called like one, and
    which is imported depends on the order of sys.path. Packages without __init__.py, and those that extend their path, are made to be shared and are not meant.""",
)
_explain(
    "E433",
    "one distribution in several versions",
    """
    The packages of a function bring the same distribution in two versions. Only the one that comes first on sys.path
    would be imported, and its metadata may be the other's.""",
)

_explain(
    "E440",
    "a source cannot be built",
    """
    There was no wheel, so one was to be made from source, and the project's own build ended with an error. Its last telling
    lines are shown; the whole log is kept in the cache and named. Old projects often want an older setuptools: give one as
    a constraint of the build. A requirement that has a wheel for the runtime needs no build.""",
)
_explain(
    "E441",
    "a source needs a compiler",
    """
    The source has parts in C or C++, and the compiler that udfs uses for them, Zig's clang from PyPI's ziglang, is not
    installed (pip install 'udfs[build]'), or the machine is no x86-64 Linux, whose Python's headers it would need. Compilers
    of the machine are not used: what they make asks for this machine's glibc. A container builds anywhere. A project that
    makes a wheel without its optional extension is refused too, because another machine would make another.""",
)
_explain(
    "E442",
    "not a source that can be built",
    """
    A source is an sdist (.tar.gz, .zip) with one folder in it, or a folder with a pyproject.toml or a setup.py. Links to
    folders outside a project are refused, because what they lead to is not part of what was named.""",
)
_explain(
    "E443",
    "what a build needs cannot be installed",
    """
    Build backends and their helpers (setuptools, Cython…) are installed by pip in the runtime's CPython, from the index this
    machine is set up with, before anything is built. What pip said is shown, without credentials. A project may ask for a
    version that does not exist for an old Python: give one that does as a constraint, or take an older release.""",
)
_explain(
    "E444",
    "a source needs a native library",
    """
    The source is compiled against a library that is not part of the runtime's system. This machine's own headers and libraries
    are not looked at: they belong to its glibc. Name a folder with the headers, and the library itself, built for the
    runtime's glibc; it is then linked against and travels under `libraries:`, or is put into the wheel.""",
)
_explain(
    "E445",
    "a source needs Fortran",
    """
    Zig compiles C and C++ and no Fortran, which NumPy's older and SciPy's releases are partly written in. Nearly all such
    projects have wheels; the manylinux images have gfortran.""",
)
_explain(
    "E446",
    "a source needs the runtime's CPython",
    """
    An extension is compiled against the headers of the Python that loads it. Without that CPython on the machine, Python 3
    projects are built by the Python that runs udfs, which is good for those in Python alone and for no others; Python 2
    projects are not. `udfs doctor` tells what is there and how to get what is not.""",
)
_explain(
    "E447",
    "a build was stopped",
    """
    A step took longer than is allowed, or the command was interrupted. Everything that the build had started was ended with
    it, and nothing was kept but the log.""",
)
_explain(
    "E448",
    "no container to build in",
    """
    `builder: container` runs the manylinux images by the program that DOCKER_PATH names, else docker or podman. It was not
    found, or could not start the image; what it said is shown.""",
)
_explain(
    "E449",
    "libraries cannot be put into a wheel",
    """
    repairwheel copies the libraries that a wheel needs into it, under names that hold their hash. It needs Python 3.11 or
    newer; pip install 'udfs[build]' brings it. Without it, libraries can travel beside the wheel, under `libraries:`.""",
)

_explain(
    "E460",
    "a version that is not the runtime's",
    """
    `runtimes:` gives the full version of a runtime's Python, and it is one of another Python: cp311 is 3.11 with any patch
    level. The patch level counts because packages are chosen by it: one that requires >=3.7.1 is refused for 3.7.0.""",
)
_explain(
    "E461",
    "a platform that is not documented for the runtime",
    """
    A warning: MaxCompute's list of what its clusters load has ARM64 with Python 3.7 only, and RHEL 5 with 2.7 and 3.7. What
    is built for this runtime there may load, but nothing published says so.""",
)

_explain(
    "E462",
    "a library that is not installed",
    """
    `udfs sbom` writes CycloneDX with the library that the format's makers maintain, cyclonedx-python-lib. It comes with an
    extra: pip install 'udfs[sbom]'.""",
)
_explain(
    "E463",
    "a package that a MaxFrame job cannot use so",
    """
    `udfs export maxframe` names archives that an apply uploads, so some function must use the package, with a Python that
    MaxFrame has (3.7 or later). With --requirements MaxFrame's service fetches the versions itself, and cannot get what lies
    in the manifest's folder.""",
)
_explain(
    "E470",
    "something that is not a requirement",
    """
    Requirements are written as pip takes them (PEP 508): a name, extras, versions, a marker. A path of a wheel, a source
    archive or a project's folder begins with ./ and stays in the manifest's folder.""",
)
_explain(
    "E471",
    "a requirement with an address",
    """
    A lock names files by their hash and no machine, so that it holds for every mirror. Download what the address leads to
    into the manifest's folder, and name its path.""",
)
_explain(
    "E472",
    "something in a requirements file that is not taken",
    """
    Requirements files may hold requirements with hashes, -r, -c, -e with a path, --pre and --prefer-binary. Which index is
    asked is a matter of the machine, or of the package's `extra_index:`; other options have keys in the manifest.""",
)
_explain(
    "E473",
    "requirements that contradict each other",
    """
    No set of versions makes all requirements of the package true for the runtime: for its full Python version, its ABI, and
    its glibc. The lines that take part are listed with their places, and then the resolver's reasoning.""",
)
_explain(
    "E474",
    "a resolver that is not installed",
    """
    `udfs lock` resolves with uv, and with pex where uv cannot go: Python 2.7, and systems older than manylinux2014. Both come
    with `pip install 'udfs[lock]'`. Planning and applying need neither.""",
)
_explain(
    "E475",
    "a resolver that failed",
    """
    The resolver could not do its work: the package index does not answer, or a source archive whose metadata must be built
    does not build. Its own words are shown. Nothing was written.""",
)
_explain(
    "E476",
    "no lock",
    """
    Requirements are never resolved while planning or applying, so that the same commit means the same files. Run
    `udfs lock` and commit udfs.lock beside udfs.yaml.""",
)
_explain(
    "E477",
    "a stale lock",
    """
    The lock was made for other requirements, options or another runtime than the manifest has now; what changed is listed.
    Run `udfs lock`: versions that still fit stay. `udfs lock --check` tells it in a pipeline.""",
)
_explain(
    "E478",
    "a lock that cannot be read",
    """
    udfs.lock is not what this udfs writes: edited by hand, cut off, left with conflict marks by a merge, or written by a
    newer udfs. Where entries alone are wrong, `udfs lock` writes them anew. One that cannot be read tells no versions to keep:
    restore it from Git, or delete it to resolve everything from the beginning.""",
)
_explain(
    "E479",
    "a wheel that comes out different",
    """
    The lock names a wheel that was built when the lock was made. This machine's cache does not have it, so it was built
    again, and other bytes came out: other tools, perhaps. What the lock was reviewed for is not what would be uploaded.
    The lock says with what it was built.""",
)
_explain(
    "E481",
    "an index that is not set",
    """
    `extra_index:` names environment variables, so that addresses with passwords stay out of Git. One of them is not set here.""",
)
_explain(
    "E482",
    "a file whose hash is not vouched for",
    """
    A requirements file may say which hashes are allowed (--hash); the file that fits the runtime has another. Or the index
    gives no sha256 of it, and without one a lock would promise nothing.""",
)
_explain(
    "E483",
    "nothing of that name to upgrade",
    "`udfs lock --upgrade NAME` lets one distribution of the lock move. The lock has none of this name.",
)

_explain(
    "E484",
    "a build that makes another distribution",
    """
    What was built has another name or version than what was resolved. The usual case: a project with nothing but a
    pyproject.toml, built for Python 2.7, whose setuptools reads no [project] table and calls everything UNKNOWN 0.0.0.""",
)

# --- E5: guards and ownership ---------------------------------------------------------------------------------------------
_explain(
    "E501",
    "the name belongs to something udfs does not manage",
    """
    An object of this name is in the project without this stack's mark. It is never changed or deleted. Rename yours
    in the manifest, or take it over with `udfs adopt NAME`, which shows first what it is and in what it differs.""",
)
_explain(
    "E502",
    "the name belongs to another stack",
    """
    The object carries the mark of another stack. Two manifests that both claim it would overwrite each other for
    ever; rename one of them. To hand an object over, take it out of the other manifest, `udfs disown` it there, and
    `udfs adopt` it here.""",
)
_explain(
    "E503",
    "deletes are not allowed",
    """
    apply deletes only as many objects as --allow-deletes N says. The plan shows what would go; a removed entry is
    the commonest cause, a renamed one the most painful.""",
)
_explain(
    "E504",
    "an empty manifest",
    """
    The manifest lists no function and no resource while the project holds objects of this stack. That is almost
    always a broken checkout or a wrong file, so plan and apply refuse it, whatever number of deletes is allowed.
    `udfs destroy` removes a stack on purpose.""",
)
_explain(
    "E505",
    "somebody else's function needs it",
    """
    A function that this stack does not manage lists the resource; deleting it would break that function at its next
    run. Remove the reference first.""",
)
_explain(
    "E506",
    "the plan is stale",
    """
    Between reading the project and writing, or since a saved plan was made, somebody changed the object. Nothing more
    was written. Make the plan again and look at it.""",
)
_explain(
    "E507",
    "confirmation is needed",
    """
    Off a terminal nothing is asked, nor where the environment variable CI is set: some CI systems give their jobs a
    terminal at which nobody sits. Pass --yes to apply what the plan shows.""",
)
_explain(
    "E508",
    "the resource's type would change",
    """
    Whether MaxCompute changes the type of a resource in place is not known, so it is not tried: give the resource
    another name, or delete it first.""",
)
_explain(
    "E509",
    "nothing to adopt",
    """
    `udfs adopt NAME` takes over what the manifest lists and the project holds. Without an entry in the manifest the
    next plan would delete what was adopted; without an object there is nothing to take over.""",
)
_explain(
    "E510",
    "cannot be disowned",
    """
    `udfs disown NAME` lets go of what this stack manages and the manifest no longer lists. What the manifest still lists
    would clash with it in the next plan. The bytes and the definition stay as they are; only the mark and the ledger's
    memory go.""",
)
_explain(
    "E511",
    "protected",
    """
    `protect: true` is remembered in the ledger, so that it holds when the entry is gone from the manifest, in `destroy` and
    under `moved:` too. To let the object go: put the entry back without it, apply, and remove it then.""",
)
_explain(
    "E512",
    "a large part of the stack would go",
    """
    More than 30 % of ten or more managed objects would be deleted. That is meant now and then, and more often a wrong
    branch or a broken generator. --allow-deletes then takes the exact number, not just one that is large enough.""",
)
_explain(
    "E513",
    "a name that the project spells otherwise",
    """
    MaxCompute finds resources whatever the case of their names, and keeps the spelling under which one was first uploaded.
    Python does not: a class path, an import and work/NAME need the first spelling, so a function that is registered with
    another one "cannot be resolved" at query time. Write the name as the project does, in a file's name too, or choose
    one that differs in more than its capitals.""",
)
_explain(
    "E514",
    "an archive is replaced under its name",
    """
    A warning: an archive gets other content and keeps its name. Workers and sessions may keep what they have unpacked under
    a name, and users found the old package imported after they had dropped and added it (an issue of PyODPS, #100); and a query that
    runs during the apply may see half of an update. A new version of a wheel has a new name; `bundle: single` gives a package one with its
    content's digest.""",
)
_explain(
    "E515",
    "somebody applied since the plan was made",
    """
    A saved plan is made against one epoch of the stack's ledger, and another apply has run since, perhaps an earlier try
    of the same plan that was cut off. Nothing was written. Make a new plan: it begins from what is in the project.""",
)
_explain(
    "E516",
    "not a plan that can be performed",
    """
    `udfs apply FILE` takes what `udfs plan --out FILE` wrote, byte for byte. A checksum over the whole file and the
    digest of the operations are recomputed, and fields that are not known are refused. The plan is then made anew from the
    manifest and the project, and has to be the one in the file. The output of `plan --format json` tells of a plan and lacks
    what performing it needs.""",
)
_explain(
    "E517",
    "a file in another format",
    """
    The file was written by another version of udfs, whose format this one does not know. Use the same version to write
    and to read it.""",
)
_explain(
    "E518",
    "the files are not those of the plan",
    """
    A saved plan holds no content: what it uploads is found again by sha256 among the files that the manifest names. The
    manifest or one of those files was changed since. Check out the commit that the plan was made from, or make a new
    plan.""",
)
_explain(
    "E519",
    "not the plan that was approved",
    """
    --digest names the one plan that may be performed, and this is another: what is in the project, or what the manifest
    asks for, has changed since the approval. Nothing was written.""",
)
_explain(
    "E520",
    "the plan is for another place",
    """
    A saved plan belongs to one stack, target, project and schema. The manifest, read with today's variables, or
    --target leads to another one.""",
)
_explain(
    "E521",
    "a file cannot be read or written",
    """
    The file of a saved plan or of a dump. A plan is written whole or not at all.""",
)
_explain(
    "E522",
    "not a dump",
    """
    `udfs plan --against FILE` takes what `udfs dump --out FILE` wrote. The file is damaged, or something else.""",
)
_explain(
    "E523",
    "a dump of another project",
    """
    A dump knows the project of one stack, with the digests of that stack's resources only. The manifest's stack, or the
    project or schema of its target, is another.""",
)
_explain(
    "E524",
    "edited outside",
    """
    An object of this stack holds something else than what was last applied, and the manifest did not ask for it. The
    service keeps who wrote a resource last, and when; of functions it keeps neither. `udfs apply --restore` brings back
    what was there; if the edit is right, take it into the manifest.""",
)
_explain(
    "E525",
    "deleted outside",
    """
    An object that the last apply left in the project is gone. Of what is gone the service tells nothing.
    `udfs apply --restore` creates it again.""",
)
_explain(
    "E526",
    "deleted and created again",
    """
    The function was created after the one that was applied: somebody dropped it and made another of the same name. Its
    owner, and with that the rights that were granted on it, may be another's.""",
)
_explain(
    "E527",
    "made another type",
    """
    A resource of this stack is of another type than the one that was applied. Whether MaxCompute changes a type in place is
    not known, so it is not tried (E508): delete the resource, and apply.""",
)
_explain(
    "E528",
    "lists other resources",
    """
    Somebody changed the list of resources of a function, and nothing else of it.""",
)
_explain(
    "E529",
    "the name was taken",
    """
    Under a name of the manifest stands something that this stack does not manage: another stack's, or somebody's who uses
    no udfs, perhaps in the place of one that was deleted. See E501 and E502 for the ways out.""",
)
_explain(
    "E530",
    "a new name that leads nowhere",
    """
    Under `moved:` stands what is deployed under another name: `from` is the name in the project, which the manifest no
    longer has, and `to` one of its functions or resources. Both are of the same kind.""",
)
_explain(
    "E531",
    "a policy that cannot be used",
    """
    The file under `policy:` is read like the manifest, and nothing is planned while it is not understood.
    `udfs schema policy.yaml` prints what it takes. The environment may name one more, UDFS_POLICY, which holds whatever
    the manifest says; a name under which there is no file is refused too.""",
)
_explain(
    "E532",
    "a name that the policy does not allow",
    """
    `names:` of the policy lists patterns for functions and for what stands under `resources:`. Names that udfs makes up
    itself, of modules and archives, are not judged.""",
)
_explain(
    "E533",
    "an owner that the policy does not allow",
    """
    `owners:` of the policy lists patterns for the accounts that may own what a stack manages. The service makes whoever
    creates an object its owner, and keeps the owner when it is changed.""",
)
_explain(
    "E534",
    "larger than the policy allows",
    """
    `max_size:` of the policy is for each resource that would be uploaded.""",
)
_explain(
    "E535",
    "a package that the policy forbids",
    """
    `forbid_packages:` of the policy names distributions, with versions or without. What counts is the wheels in the
    archives, also those that came along because another needs them.""",
)
_explain(
    "E536",
    "the policy wants tests",
    """
    With `require_tests: true` in the policy, each function of the manifest has `tests:`.""",
)
_explain(
    "E537",
    "a time of rest",
    """
    `frozen:` of the policy names days and hours, by the clock on the wall of a time zone, in which apply,
    destroy, rollback, gc, adopt and disown are refused. What time it is, the service says. plan goes on, exits as it would
    at any hour, and warns with this code, in every
    format; validate does not look at the clock.""",
)
_explain(
    "E550",
    "a module is imported by a name it does not have",
    """
    A function's source is uploaded under a name with its content's digest (my_psi__3fa9c1d2.py), so that a new version never
    takes the place of one that a query runs. Python then knows the module by that name, and an import of the plain one
    fails. Declare the file under `resources:` as well, and it keeps its name and is replaced in place; or write
    `rollout: in_place`, and all do.""",
)
_explain(
    "E551",
    "no state to go back to",
    """
    `udfs rollback` goes to an apply that got through (*committed* in `udfs history`) and left other functions than there
    are now; after a rollback, to one before the goal of that, unless it is given a number. The ledger keeps the last 20; of
    a run that failed or was cut off it is not known what it left.""",
)
_explain(
    "E552",
    "a rollback lacks a resource",
    """
    A function that would be brought back listed a resource that is gone since, collected or deleted, or that holds
    something else: names under `resources:`, and all with `rollout: in_place`, are replaced in place. Half of an earlier
    state is no state that was ever tested. Check out the commit of that apply, which `udfs show-run` names, and apply it; *with
    changes* there says that the commit is not all that was applied.""",
)

_explain(
    "E560",
    "nothing that a pattern fits",
    """
    `udfs import PATTERN` takes names of functions, and `--resource PATTERN` those of resources, with * and ? for other
    characters. What is meant is in the project, not in the manifest; `udfs dump` lists it.""",
)
_explain(
    "E561",
    "a local file is in the way",
    """
    An import writes modules to udfs/ and other files to resources/, under the names they have in the project. A file that is
    there with the same content is kept; one that holds something else is never replaced without --overwrite, and nothing is
    written through a symbolic link. Nothing was written.""",
)
_explain(
    "E562",
    "a file came otherwise than the service says",
    """
    Size and MD5 of what was fetched are compared with what the service tells of the resource. They differ when a connection
    breaks, or when somebody is just changing it. Nothing was written; run the import again.""",
)
_explain(
    "E563",
    "where to import from, and where to",
    """
    An import goes into the manifest that is there, from the target that it names. Where there is none, --project and
    --endpoint say what a new one begins with. Beside another manifest a new one has a stack of its own: what two manifests of
    one stack do not both list, each would delete.""",
)
_explain(
    "E564",
    "several targets where there can be one",
    """
    validate, plan, drift and apply take several targets (--target a,b or --all-targets). A saved plan, a dump and a digest are
    about one, and so is every other command: name each target by itself there.""",
)
_explain(
    "E565",
    "no place in the manifest",
    """
    An import adds lines and leaves all others as they are, comments included. Unusual YAML, such as keys that begin with ?,
    leaves no place where that can be done for certain.""",
)

# --- E6: the service ------------------------------------------------------------------------------------------------------
_explain(
    "E601",
    "the service cannot be reached",
    """
    No connection to the endpoint: name resolution, network, proxy or TLS. The endpoint ends in /api.""",
)
_explain(
    "E602",
    "the credentials are refused",
    """
    The service does not accept the access key, token or signature. They come from ALIBABA_CLOUD_ACCESS_KEY_ID,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN, or from what PyODPS reads itself
    (ODPS_STS_ACCOUNT_FILE, ODPS_STS_TOKEN, ODPS_BEARER_TOKEN…); never from the manifest. A clock that is more than
    15 minutes off is refused too.""",
)
_explain(
    "E603",
    "a permission is missing",
    """
    The account may not do this in the project. Reading needs List; creating needs CreateResource and CreateFunction;
    replacing and deleting need Write and Delete on the object.""",
)
_explain(
    "E604",
    "not an answer of MaxCompute",
    """
    The endpoint answered with something that is not MaxCompute's XML: a proxy's page, a login page, a truncated
    body. Check that the endpoint ends in /api.""",
)
_explain(
    "E605",
    "the service answered with an error",
    """
    The service's own code and message are shown, with the request id that its support asks for.""",
)
_explain(
    "E606",
    "no such project",
    """
    The endpoint knows no project of this name, or the account may not see it.""",
)
_explain(
    "E607",
    "no credentials",
    """
    The target is not the local service and no credentials were found in the environment. Set
    ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, and ALIBABA_CLOUD_SECURITY_TOKEN for a
    temporary account.""",
)
_explain(
    "E608",
    "partly applied",
    """
    Some changes were made before one failed; the report says which. Nothing is undone. The same command carries on
    from there, because a plan is always made against what is in the project.""",
)
_explain(
    "E609",
    "the uploaded bytes did not arrive intact",
    """
    After an upload the service reports the MD5 of what it holds; it differs from what was sent.""",
)
_explain(
    "E610",
    "somebody else is applying this stack",
    """
    One apply of a stack runs at a time. The lease is an entry of the ledger in the project itself, and lives ten
    minutes without being renewed, so a run that was killed blocks the next one at most so long. `udfs history` shows
    who holds it; `udfs unlock --epoch N` ends it at once, after telling who would be robbed.""",
)
_explain(
    "E611",
    "the ledger cannot be read",
    """
    The newest entry of the ledger (a resource udfs.STACK.EPOCH.json) is not what udfs writes. Nothing is guessed: look
    at it, and if it is damage, delete that resource. Without a ledger the marks in the comments decide.""",
)
_explain(
    "E612",
    "the ledger was written by a newer udfs",
    """
    An older program could undo what a newer one recorded, so it stops. Use the version that the other pipelines use.""",
)
_explain(
    "E613",
    "the lease was lost",
    """
    While this run was working, its entry of the ledger was ended by `udfs unlock` (the message and `udfs show-run` say by
    whom), or a later apply took over after the lease ran out. Nothing more is written; what was done is in the report.""",
)
_explain(
    "E614",
    "no such run",
    """
    The ledger has no entry of this epoch: it was never made, or it is older than the twenty that are kept.""",
)
_explain(
    "E615",
    "the ledger's next entry could not be read again",
    """
    Each apply writes down what it is about to do, and everybody has to read that, this run's end included. An entry that
    cannot be read would lock the stack, so it is not written, and nothing is changed. What it holds comes from the
    manifest, the project, and the environment of the run (user, host, pipeline, commit).""",
)

# --- E7: running a function -----------------------------------------------------------------------------------------------
_explain(
    "E701",
    "no CPython of this runtime",
    """
    The function runs in a real CPython of its runtime and none was found. Every place that was looked at is listed.
    `udfs doctor` shows what there is.""",
)
_explain(
    "E702",
    "the function failed",
    """
    The function raised, or its process died. The traceback is the function's own.""",
)
_explain(
    "E703",
    "no such function in the project",
    """
    `call` runs what is deployed. Run `udfs apply` first.""",
)
_explain(
    "E704",
    "the arguments do not fit",
    """
    The number or the form of the arguments does not fit what the function takes.""",
)
_explain(
    "E705",
    "a resource cannot be laid out",
    """
    A resource of the function cannot be unpacked or read as MaxCompute would: an unsafe or damaged archive, or a
    table, of which there is no data here.""",
)
_explain(
    "E706",
    "the CPython here cannot run this function",
    """
    The function ships compiled code, which is built for one machine and one ABI: cp27m, cp37m or cp311, as on MaxCompute.
    The CPython that was found is another build, or this is another machine. With Python 2.7 it is nearly always one with wide Unicode (cp27mu), which lacks the
    PyUnicodeUCS2_* symbols that a compiled package asks for; functions in pure Python still run in it. The hint says how
    to get a build that fits.""",
)

# --- E8: sources ----------------------------------------------------------------------------------------------------------
_explain(
    "E801",
    "not Python",
    """
    The file cannot be read by the Python of the function's runtime; MaxCompute would say so when SQL first calls the
    function. Python 3 sources are judged by CPython's own parser. Python 2.7 sources are read through a table of what
    differs; should it refuse what a real CPython 2.7 takes, `# udfs: ignore[E801]` on the line lets it pass.""",
)
_explain(
    "E802",
    "syntax newer than the runtime",
    """
    The statement is good Python, of a later version than the function runs on: cp27 is 2.7, cp37 is 3.7, cp311 is 3.11.
    Write it in the older way, or choose a newer runtime with `python:` where the code allows it.""",
)
_explain(
    "E803",
    "the encoding of a source",
    """
    Python 3 reads UTF-8 unless a coding line in the first two lines says otherwise. Python 2.7 reads ASCII: one accent,
    in a comment even, makes it refuse the file without the line `# -*- coding: utf-8 -*-`.""",
)
_explain(
    "E804",
    "no such class",
    """
    MaxCompute imports the module and takes the class by its exact name, capitals included. Registering the function
    does not look; the first call fails with ODPS-0130071, "cannot be resolved".""",
)
_explain(
    "E805",
    "a class without evaluate",
    """
    A UDF is a class with a method evaluate. The class has none, and nothing marks it as a UDTF (base odps.udf.BaseUDTF,
    method process) or a UDAF (base odps.udf.BaseUDAF).""",
)
_explain(
    "E806",
    "a UDTF or UDAF that is not whole",
    """
    A UDTF has the base odps.udf.BaseUDTF and a method process; a UDAF has the base odps.udf.BaseUDAF and the methods
    new_buffer, iterate, merge and terminate.""",
)
_explain(
    "E807",
    "no signature",
    """
    A UDF or UDAF is decorated with @annotate("arguments->result") from odps.udf, or MaxCompute does not know its types.
    A UDTF may leave it out; all its columns are STRING then.""",
)
_explain(
    "E808",
    "the signature cannot be read",
    """
    A signature is types with commas between them, an arrow, and the result: "bigint,string->double". No arguments is
    "->double", any number of them "*->double". Types nest: array<bigint>, map<string,double>, struct<a:bigint,b:string>.
    At query time: ODPS-0130081, "Invalid UDF reference".""",
)
_explain(
    "E809",
    "the signature does not fit the method",
    """
    evaluate, process and iterate are called with one argument for each type of the signature, iterate after the buffer.
    new_buffer takes none, merge two buffers, terminate one. Defaults and *args count as Python counts them.""",
)
_explain(
    "E810",
    "the results do not fit the kind",
    """
    A UDF or UDAF gives one value, a UDTF one or more columns, one argument of self.forward for each. A UDTF that never
    calls forward gives no row: that is a warning.""",
)
_explain(
    "E811",
    "a type that Python functions do not take",
    """
    Documented are BIGINT, STRING, DOUBLE, BOOLEAN, DATETIME, FLOAT, BINARY, DATE, DECIMAL, CHAR, VARCHAR, ARRAY, MAP and
    STRUCT. JSON is not supported. TINYINT, SMALLINT, INT and TIMESTAMP are types of MaxCompute SQL that the list does
    not have; whether they work is not published, so they are a warning.""",
)
_explain(
    "E812",
    "an archive that is not there",
    """
    Archives that a function lists are unpacked to work/<resource name>/, the ending included and in the spelling of the
    resource. The path in the source names another. A wheel's resource ends in .zip.""",
)
_explain(
    "E813",
    "a resource the function does not list",
    """
    get_cache_file, get_cache_archive and get_cache_table find only what the function lists. Name it under the
    function's `resources:`.""",
)
_explain(
    "E814",
    "a resource of another type",
    """
    get_cache_file reads FILE resources, get_cache_archive ARCHIVE ones and get_cache_table TABLE ones; a PY resource is
    imported. `type:` of the resource says which it is, or the end of its name.""",
)
_explain(
    "E815",
    "a package imported too early",
    """
    Where MaxCompute first looks at a module, the archives of its function are not unpacked, so an import of a package at
    module level fails, whoever finds the archive. Import it inside the method that uses it, or in __init__: by then the
    lines that udfs adds behind a source have found it (`udfs build --source NAME`). A module that only methods import may do so at its top. numpy is preinstalled for Python 2.7 and
    not for 3.7. For 3.11 this is not settled, and a warning.""",
)
_explain(
    "E816",
    "an import that nothing provides",
    """
    The name is in no wheel and no PY resource of the function, nor in the standard library of its runtime. It is a
    warning where the function lists an archive or library that was not looked into. An import in
    `try: … except ImportError:` is left alone.""",
)
_explain(
    "E817",
    "a relative import",
    """
    MaxCompute loads each PY resource as a module of its own, by its stem; there is no package that `.` could mean. In a
    folder of `modules:`, which is a package, `.` means what it does everywhere, as far as its top.""",
)
_explain(
    "E818",
    "something the sandbox forbids",
    """
    A warning: without odps.isolation.session.enable a function may not write files, start processes or threads, or open
    sockets (ODPS-0140171, "Sandbox violation exception"), and the network is closed to functions until the project
    opens it. The sandbox of Python 2.7 loads a documented list of C extensions, and csv, zlib, ctypes and others are not on it.""",
)
_explain(
    "E819",
    "no buffer for a UDAF",
    """
    new_buffer returns what iterate and merge change in place and marshal carries between workers: a list or dict of
    numbers, text, lists and dicts. marshal refuses subclasses such as Counter and objects of classes with "ValueError:
    unmarshallable object"; a number or tuple cannot be changed.""",
)
_explain(
    "E820",
    "an ignore that silences nothing",
    """
    A warning: `# udfs: ignore[E818]` silences the findings of that code on its own line, and there is none. Left in
    place it would hide the next one.""",
)

_explain(
    "E821",
    "the installed one is imported instead",
    """
    A warning: the runtime or the image has the package installed, and the function brings another. An import at module
    level comes before the function's own is found, and takes the installed one; nothing imports it again after that.
    Import it inside a method, or leave it out of the package with `without:`.""",
)

_explain(
    "E822",
    "a package that nothing puts on sys.path",
    """
    The archives of a function's packages are unpacked to work/NAME, and Python does not look there by itself. The lines that udfs
    adds behind a source do that; with `wire: false`, or without `source:`, there are none, and the module names neither
    sys.path nor anything else that would find it. At query time: "ODPS-0123055: User script exception" with
    "ImportError: No module named".""",
)

_explain(
    "E720",
    "no such function in the manifest",
    """
    `udfs test` runs the functions of the manifest; nothing needs to be deployed. Upper and lower case do not matter.""",
)
_explain(
    "E721",
    "a test failed",
    """
    The function returned something else than the test says, or raised, or its process died. The place is that of the
    test. Floats may be a part in 10⁹ apart; everything else is compared exactly.""",
)

_explain(
    "E722",
    "rows that cannot be read",
    """
    A file of rows ends in .csv, .jsonl or .parquet. CSV is UTF-8 with commas, \\N for NULL; a line of JSON Lines is one
    array. The place is the line of the row that does not fit.""",
)
_explain(
    "E723",
    "pyarrow is not installed",
    """
    Parquet files are read and written by pyarrow, which is not installed unless it is asked for: `pip install
    'udfs[parquet]'`. CSV and JSON Lines need nothing.""",
)

_explain(
    "E730",
    "a statement of SQL failed",
    """
    The service ran the statement and it failed, or it is none. What the service says follows, with its code; codes that
    begin with ODPS-0130 are about the statement's text, and then the place is the one the service names.""",
)
_explain(
    "E731",
    "functions that one statement cannot call together",
    """
    A statement of SQL runs one Python, which `SET odps.sql.python.version` chooses; functions of cp27 and of cp37 need two
    statements. What a SET line in front of the statement says is taken as it is, and wins over what functions need.""",
)
_explain(
    "E732",
    "there is no statement",
    """
    `udfs sql` takes the statement as an argument, or from standard input: `udfs sql < query.sql`.""",
)
_explain(
    "E733",
    "a test that cannot be asked by SQL",
    """
    `udfs verify` writes the arguments of a test down as SQL, by the types of the function's signature, which it reads in the
    source. Where that signature takes anything (`*`), or is not to be seen without running the source, or the arguments are
    none of its types, the test is left out and said to be. `udfs test` runs it here all the same.""",
)
_explain(
    "E734",
    "what SQL on the local service needs is not installed",
    """
    `endpoint: local` runs SQL by DuckDB, with sqlglot, pyarrow and NumPy; they are installed only if they are asked for:
    `pip install 'udfs[sql]'`. A real project needs none of them.""",
)


# --- E9: usage ------------------------------------------------------------------------------------------------------------
_explain(
    "E901",
    "usage",
    """
    The command line cannot be understood. `udfs COMMAND --help` shows the options.""",
)
_explain(
    "E902",
    "no such code",
    """
    `udfs explain` takes a code such as E214; without one it lists them all.""",
)
_explain(
    "E903",
    "the file is already there",
    """
    `udfs init` writes no file over another. Choose another name with -f.""",
)
_explain(
    "E904",
    "a file or stream of this machine cannot be used",
    """
    A file cannot be read or written: a missing permission, a full disk, a file where a folder should be, a damaged store
    of `endpoint: local`. The path and the system's own reason are shown.""",
)
_explain(
    "E999",
    "a bug in udfs",
    """
    Something happened that udfs was not written for. The traceback says where; please report it. After an apply, run
    `udfs plan`: a plan is always made against what is in the project.""",
)
