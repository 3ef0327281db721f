"""
Function Compute's part of ``udfs.yaml``: regions, layers, and functions with a handler, triggers and an alias.

It extends the common model. Numbers have the bounds that `limits` checks, because a bound deserves its reason in the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import Meta, field

from reconciler.manifest import model
from reconciler.manifest.model import Flag, Label, Text
from reconciler.manifest.runtimes import Service
from reconciler.manifest.section import NULL_IS_EMPTY, Section
from reconciler.targets.credentials.choice import NEVER_HERE, PLACES, CloudChoice
from reconciler.targets.fc.runtimes import RUNTIMES, SERVICE, is_custom

if TYPE_CHECKING:
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.runtimes import Runtime

RuntimeName: TypeAlias = Literal[
    "python3",
    "python3.9",
    "python3.10",
    "python3.12",
    "custom",
    "custom.debian10",
    "custom.debian11",
    "custom.debian12",
]
TriggerType: TypeAlias = Literal["http", "timer", "oss", "log", "mns_topic", "cdn_events", "tablestore", "eventbridge"]
Method: TypeAlias = Literal["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"]
IgnoredField: TypeAlias = Literal[
    "config",
    "content",
    "cpu",
    "description",
    "disk",
    "environment",
    "handler",
    "internet_access",
    "layers",
    "log",
    "memory",
    "nas",
    "reserved",
    "role",
    "tags",
    "timeout",
    "vpc",
    "weights",
]
Setting: TypeAlias = Annotated[
    str,
    Meta(
        description="Text, whatever it looks like; it may be empty.",
        extra_json_schema={"type": ["string", "number", "boolean"]},
    ),
]

USUAL_RUNTIME = "custom.debian12"
"""The newest system, and the one whose Python is named with its patch level and its path."""

SERVER = "udfs_serve.py"
"""In the code of a function with a custom runtime and no command of its own: the HTTP server that calls its handler."""

USUAL_SHARE = 0.7
"""vCPUs a GB where a function names none: the vendor's own tool creates 512 MB with 0.35."""


class TargetKind(model.TargetKind, frozen=True, kw_only=True):
    """The service that the manifest is for."""

    kind: Annotated[Literal["fc"], Meta(description="The service: its keys are those that this file takes.")] = "fc"


class Staging(Section, frozen=True, kw_only=True):
    """A bucket for archives that are too large for a request."""

    short: ClassVar[str] = "bucket"

    bucket: Annotated[Text, Meta(description="The bucket's name, in the target's region. It is never made.")]
    endpoint: Annotated[
        Text | None, Meta(description="Where OSS is, if not at https://oss-REGION.aliyuncs.com; within a VPC, say.")
    ] = None


class Target(model.Target, frozen=True, kw_only=True):
    """Where a manifest is applied."""

    advice_on_keys: ClassVar[str] = f"{NEVER_HERE}; set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"
    endpoint: Annotated[
        Text | None,
        Meta(
            description="'local' for the service built in, or an address; left out, the region's own. ${env:NAME} and ${var:NAME} are "
            "replaced."
        ),
    ] = None
    region: Annotated[Text, Meta(description="The region, such as cn-hangzhou.")]
    account: Annotated[
        Text | None, Meta(description="The number of the account; credentials of another one are refused.")
    ] = None
    staging: Annotated[
        Staging | None,
        Meta(description="A bucket for archives over 100 MB, and for the ledger; left out, both go without."),
    ] = None
    credentials: Annotated[CloudChoice | None, Meta(description=f"{PLACES[0].upper()}{PLACES[1:]}")] = None

    @property
    def is_local(self) -> bool:
        return self.endpoint == "local"


IMPLICIT_TARGET = Target(endpoint="local", region="cn-hangzhou")
"""Where a manifest without ``targets:`` is applied."""


class FunctionLayer(model.Layer, frozen=True, kw_only=True):
    """Files under /opt that functions share: modules in python/, libraries in lib/, programs in bin/."""

    runtimes: Annotated[
        list[RuntimeName],
        Meta(min_length=1),
        Meta(description="The runtimes that it is made for, and that may use it."),
    ]
    protect: Annotated[Flag, Meta(description="true: never deleted, even when this entry is gone.")] = False
    license: Annotated[Text | None, Meta(description="The licence of what is in it, for people.")] = None


class Trigger(Section, frozen=True, kw_only=True):
    """What invokes a function."""

    type: Annotated[TriggerType, Meta(description="What invokes it; the keys beside it depend on it.")]
    qualifier: Annotated[
        Text | None,
        Meta(
            description="The alias or version that is invoked; left out, the function's alias, or LATEST if it has none."
        ),
    ] = None
    description: Annotated[Text | None, Meta(description="What it is for, for people.")] = None
    role: Annotated[Text | None, Meta(description="The role by which the source of events invokes.")] = None
    source: Annotated[Text | None, Meta(description="The ARN of the source of events.")] = None
    auth: Annotated[
        Literal["anonymous", "function", "jwt"],
        Meta(description="http: anonymous lets everybody in, function asks for a signature."),
    ] = "function"
    methods: Annotated[list[Method], NULL_IS_EMPTY, Meta(description="http: the methods; left out, GET and POST.")] = (
        field(default_factory=lambda: ["GET", "POST"])
    )
    public: Annotated[Flag, Meta(description="http: false leaves the address in the Internet out.")] = True
    open: Annotated[
        Flag,
        Meta(
            description="http: true says that with auth: anonymous everybody is meant, and takes the warning E596 away."
        ),
    ] = False
    cron: Annotated[
        Text | None, Meta(description="timer: '@every 5m', or six fields in UTC, seconds first: '0 0 4 * * *'.")
    ] = None
    payload: Annotated[Setting, Meta(description="timer: what the event carries.")] = ""
    enabled: Annotated[Flag, Meta(description="timer: false pauses it.")] = True
    events: Annotated[list[Text], NULL_IS_EMPTY, Meta(description="oss: oss:ObjectCreated:PutObject and the like.")] = (
        field(default_factory=list)
    )
    prefix: Annotated[Setting, Meta(description="oss: how the keys of objects begin.")] = ""
    suffix: Annotated[Setting, Meta(description="oss: how they end.")] = ""
    config: Annotated[
        dict[Text, Any],
        NULL_IS_EMPTY,
        Meta(description="The service's own keys, for what has none here; they are sent as they are."),
    ] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """What the API calls triggerConfig, as a document."""
        # The keys are those of the pages on triggers, and of fc3's schema.
        match self.type:
            case "http":
                keys: dict[str, Any] = {
                    "authType": self.auth,
                    "disableURLInternet": not self.public,
                    "methods": sorted(self.methods),
                }
            case "timer":
                keys = {"cronExpression": self.cron, "enable": self.enabled, "payload": self.payload}
            case "oss":
                keys = {
                    "events": sorted(self.events),
                    "filter": {"key": {"prefix": self.prefix, "suffix": self.suffix}},
                }
            case _:
                keys = {}
        return {**keys, **self.config}


class Vpc(Section, frozen=True, kw_only=True):
    """The private network that instances are put into; it is referenced, and never made."""

    id: Annotated[Text, Meta(description="The network: vpc-…")]
    switches: Annotated[list[Text], Meta(min_length=1), Meta(description="Its switches: vsw-…")]
    security_group: Annotated[Text, Meta(description="The security group: sg-…")]

    @property
    def wire(self) -> dict[str, Any]:
        """As the API has it."""
        return {"vpcId": self.id, "vSwitchIds": list(self.switches), "securityGroupId": self.security_group}


class Mount(Section, frozen=True, kw_only=True):
    """A folder of a file system in an instance."""

    server: Annotated[Text, Meta(description="What is mounted: NAME.REGION.nas.aliyuncs.com:/FOLDER")]
    path: Annotated[Text, Meta(description="Where a function sees it: /mnt/NAME")]
    tls: Annotated[Flag, Meta(description="true: what is sent is encrypted.")] = False


class Nas(Section, frozen=True, kw_only=True):
    """File systems (NAS) that instances mount; they are referenced, and never made."""

    mounts: Annotated[list[Mount], Meta(min_length=1), Meta(description="What is mounted where.")]
    user: Annotated[int, Meta(ge=-1, le=65534, description="By which user's number files are read and written.")] = 0
    group: Annotated[int, Meta(ge=-1, le=65534, description="And by which group's.")] = 0

    @property
    def wire(self) -> dict[str, Any]:
        """As the API has it."""
        mounts = [{"serverAddr": each.server, "mountDir": each.path, "enableTLS": each.tls} for each in self.mounts]
        return {"userId": self.user, "groupId": self.group, "mountPoints": mounts}


class Log(Section, frozen=True, kw_only=True):
    """Where logs go (SLS); project and store are referenced, and never made."""

    project: Annotated[Text, Meta(description="The project.")]
    store: Annotated[Text, Meta(description="The logstore in it.")]
    requests: Annotated[Flag, Meta(description="true: a line about each invocation.")] = False
    instances: Annotated[Flag, Meta(description="true: measures of instances.")] = False

    @property
    def wire(self) -> dict[str, Any]:
        """As the API has it."""
        return {
            "project": self.project,
            "logstore": self.store,
            "enableRequestMetrics": self.requests,
            "enableInstanceMetrics": self.instances,
        }


class EventTest(model.Test, frozen=True, kw_only=True):
    """One invocation and what must come of it."""

    event: Annotated[
        model.Value,
        Meta(description="What the handler gets: a text as its bytes, anything else as JSON; left out, nothing."),
    ] = ""
    returns: Annotated[
        model.Value,
        Meta(
            description="The expected answer: a mapping, list or number is compared with it read as JSON, a text with its bytes."
        ),
    ] = None

    @property
    def input(self) -> list[list[Any]]:
        return [[self.event]]


class Function(model.Function, frozen=True, kw_only=True):
    """One function of the service."""

    elsewhere: ClassVar[Mapping[str, str]] = {
        **model.Function.elsewhere,
        "class": "a function here has a handler: handler: module.function",
        "python": "write runtime: python3.12, custom.debian12, …",
        "debian": "it is a package's: packages: {NAME: {debian: […]}}, and that a layer's: layers: {NAME: {packages: [NAME]}}",
        "code": "write source: for the file or folder",
        "name": "the name is the key: functions: {NAME: {source: …, handler: …}}",
        "env": "write environment:",
        "environmentVariables": "write environment:",
        "memorySize": "write memory:, in MB",
        "diskSize": "write disk:, in MB",
        "internetAccess": "write internet_access:",
    }

    runtime: Annotated[RuntimeName, Meta(description="The system and Python that it runs on, as the service names it.")]
    source: Annotated[
        Text,
        Meta(
            description="Path of the Python file, or of the folder with all files of the code, relative to the manifest."
        ),
    ]
    handler: Annotated[
        Text, Meta(description="Module and function: index.handler for handler(event, context) in index.py.")
    ]
    initializer: Annotated[
        Text | None,
        Meta(description="Module and function that runs once an instance: index.initialize for initialize(context)."),
    ] = None
    initializer_timeout: Annotated[int, Meta(description="Seconds, 300 at most.")] = 3
    exclude: Annotated[
        model.Names,
        Meta(
            description="With a folder: patterns as in .gitignore, files that are left out. What tools leave there (.DS_Store, "
            "__pycache__, .idea), virtual environments and .env files are left out anyway, but for !patterns."
        ),
    ] = field(default_factory=list)
    layers: Annotated[
        model.Names,
        Meta(
            description="Names from `layers:`, or ARNs of layers that are there; of two files of one name the first layer's is seen."
        ),
    ] = field(default_factory=list)
    memory: Annotated[int, Meta(description="MB, a multiple of 64.")] = 512
    cpu: Annotated[
        float | None, Meta(description="vCPUs, a multiple of 0.05; left out, 0.35 for 512 MB, and so in proportion.")
    ] = None
    disk: Annotated[int, Meta(description="MB under /tmp: 512 or 10240.")] = 512
    timeout: Annotated[int, Meta(description="Seconds of an invocation, 86400 at most.")] = 60
    environment: Annotated[
        dict[Text, Setting],
        NULL_IS_EMPTY,
        Meta(
            description="Environment variables. Whoever may read the function reads them; plans, reports and the ledger have a digest of each, "
            "by which a short value can be guessed."
        ),
    ] = field(default_factory=dict)
    internet_access: Annotated[Flag, Meta(description="false: it reaches nothing in the Internet.")] = True
    role: Annotated[Text | None, Meta(description="The RAM role that it acts as: acs:ram::ACCOUNT:role/NAME")] = None
    vpc: Annotated[Vpc | None, Meta(description="The private network that it is put into.")] = None
    nas: Annotated[Nas | None, Meta(description="File systems that it mounts, which takes a `vpc:`.")] = None
    log: Annotated[Log | None, Meta(description="Where its logs go.")] = None
    alias: Annotated[
        Text | None,
        Meta(
            description="An alias that is switched to a new published version once everything is there; left out, LATEST is all there is."
        ),
    ] = None
    triggers: Annotated[dict[str, Trigger], NULL_IS_EMPTY, Meta(description="Name → what invokes it.")] = field(
        default_factory=dict
    )
    concurrency: Annotated[int | None, Meta(ge=0, description="Instances that are reserved for it, and its limit.")] = (
        None
    )
    instance_concurrency: Annotated[
        int | None,
        Meta(ge=1, description="Invocations that one instance has at once, 200 at most; custom runtimes alone."),
    ] = None
    tags: Annotated[dict[Text, Text], NULL_IS_EMPTY, Meta(description="Tags, beside those that udfs sets.")] = field(
        default_factory=dict
    )
    command: Annotated[
        model.Names,
        Meta(
            description="Custom runtimes: what starts an HTTP server of your own; left out, udfs ships one that calls the handler."
        ),
    ] = field(default_factory=list)
    args: Annotated[model.Names, Meta(description="Custom runtimes: arguments of the command.")] = field(
        default_factory=list
    )
    port: Annotated[int, Meta(description="Custom runtimes: where the server listens.")] = 9000
    tests: Annotated[list[EventTest], NULL_IS_EMPTY, Meta(description="Invocations and what must come of them.")] = (
        field(default_factory=list)
    )

    @property
    def python(self) -> str:
        return self.runtime

    @property
    def companions(self) -> Mapping[str, Path]:
        return {SERVER: Path(__file__).with_name("serving") / SERVER} if self.needs_server else {}

    @property
    def needs_server(self) -> bool:
        """Whether the code gets a server that calls the handler."""
        return is_custom(self.runtime) and not self.command

    @property
    def vcpu(self) -> float:
        """vCPUs, with the default worked out: multiples of 0.05 within the shares that the service allows."""
        return self.cpu if self.cpu is not None else max(round(self.memory / 1024 * USUAL_SHARE * 20), 1) / 20


class FieldExemption(model.Ignored, frozen=True, kw_only=True):
    """What is left as somebody made it."""

    what: Annotated[
        list[IgnoredField],
        NULL_IS_EMPTY,
        Meta(description="These fields may differ for good. Left out, any edit is left as it is."),
    ] = field(default_factory=list)


class Manifest(model.Manifest, frozen=True, kw_only=True):
    """The functions of one stack."""

    elsewhere: ClassVar[Mapping[str, str]] = {
        **model.Manifest.elsewhere,
        "rollout": "a function with alias: is switched to a new version, one without is replaced in place",
    }
    service: ClassVar[Service] = SERVICE

    target: Annotated[TargetKind, Meta(description="The kind of service.")]
    targets: Annotated[
        dict[Label, Target],
        NULL_IS_EMPTY,
        Meta(description="Where the manifest may be applied; `local` is the default."),
    ] = field(default_factory=dict)
    packages: model.Packages = field(default_factory=dict)
    layers: Annotated[dict[str, FunctionLayer], NULL_IS_EMPTY, Meta(description="Name → layer.")] = field(
        default_factory=dict
    )
    ignore: Annotated[list[FieldExemption], NULL_IS_EMPTY, Meta(description="What plans and drift say nothing of.")] = (
        field(default_factory=list)
    )
    functions: Annotated[dict[str, Function], NULL_IS_EMPTY, Meta(description="Name → function.")]

    @property
    def python(self) -> str:
        return USUAL_RUNTIME

    @cached_property
    def usable_runtimes(self) -> Mapping[str, Runtime]:
        return RUNTIMES


def fc_manifest(loaded: Loaded) -> Manifest:
    """Return a manifest whose kind is Function Compute, with its own keys."""
    assert isinstance(loaded.manifest, Manifest)
    return loaded.manifest


def fc_target(loaded: Loaded) -> Target:
    """Return the chosen target of a manifest whose kind is Function Compute."""
    assert isinstance(loaded.target, Target)
    return loaded.target
