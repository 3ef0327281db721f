"""
Flink configuration: what the two processes of a local Flink are told, as text and as options of Java. Pure.

Both are started without Flink's own shell scripts, so what these work out, above all the memory of a TaskManager, is written down here
[Flink 1.20, "Set up TaskManager Memory"; the keys that a TaskManager refuses to start without are those of `TaskExecutorResourceUtils`].
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOOPBACK = "127.0.0.1"

_OPENED = (
    *(
        "java.lang",
        "java.net",
        "java.io",
        "java.nio",
        "sun.nio.ch",
        "java.lang.reflect",
        "java.text",
        "java.time",
        "java.util",
    ),
    *("java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks"),
)
"""What Flink 1.20 needs of Java 17, of the ``config.yaml`` in its wheel."""

_FOLDERS = {"io.tmp.dirs": "tmp", "web.upload.dir": "upload", "web.tmpdir": "web", "blob.storage.directory": "blob"}

LOGGING = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1} - %m%n
"""


@dataclass(frozen=True)
class MemorySizes:
    """Megabytes of one local Flink: enough for jobs that are tried, and for several in turn."""

    job_manager_heap: int = 512
    framework_heap: int = 128
    framework_off_heap: int = 128
    task_heap: int = 384
    managed: int = 256
    """What workers in Python and states on disk share."""

    network: int = 64
    metaspace: int = 512

    @property
    def task_manager_heap(self) -> int:
        return self.framework_heap + self.task_heap

    @property
    def direct(self) -> int:
        return self.framework_off_heap + self.network


def configuration_text(store: Path, rest_port: int, rpc_port: int, sizes: MemorySizes) -> str:
    """Return the ``config.yaml`` of both processes: everything on loopback, everything that is written below `store`."""
    values: dict[str, object] = {
        **dict.fromkeys(
            ("jobmanager.rpc.address", "jobmanager.bind-host", "rest.address", "rest.bind-address"), LOOPBACK
        ),
        **dict.fromkeys(("taskmanager.host", "taskmanager.bind-host"), LOOPBACK),
        "jobmanager.rpc.port": rpc_port,
        "rest.port": rest_port,
        "rest.bind-port": str(rest_port),
        "jobmanager.memory.heap.size": f"{sizes.job_manager_heap}m",
        "taskmanager.numberOfTaskSlots": 4,
        "taskmanager.cpu.cores": 4.0,
        "taskmanager.memory.framework.heap.size": f"{sizes.framework_heap}m",
        "taskmanager.memory.framework.off-heap.size": f"{sizes.framework_off_heap}m",
        "taskmanager.memory.task.heap.size": f"{sizes.task_heap}m",
        "taskmanager.memory.task.off-heap.size": "0b",
        "taskmanager.memory.managed.size": f"{sizes.managed}m",
        "taskmanager.memory.network.min": f"{sizes.network}m",
        "taskmanager.memory.network.max": f"{sizes.network}m",
        "taskmanager.memory.jvm-metaspace.size": f"{sizes.metaspace}m",
        "taskmanager.memory.jvm-overhead.min": "192m",
        "taskmanager.memory.jvm-overhead.max": "192m",
        # What aggregates in Python keep on the heap comes back with one key [run on 1.20.5].
        "state.backend.type": "rocksdb",
        "execution.checkpointing.savepoint-dir": (store / "savepoints").as_uri(),
        "execution.checkpointing.dir": (store / "checkpoints").as_uri(),
        **{key: str(store / folder) for key, folder in _FOLDERS.items()},
    }
    # JSON is YAML, and quotes what a path may hold.
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())


def folders(store: Path) -> tuple[Path, ...]:
    """Return the folders that have to be there before either process is started."""
    return tuple(store / name for name in (*_FOLDERS.values(), "savepoints", "checkpoints", "conf"))


def java_options(heap: int, *, direct: int | None = None, metaspace: int | None = None) -> list[str]:
    """Return the options of Java: its memory in megabytes, and what Flink has to be allowed."""
    return [
        *(f"-Xms{heap}m", f"-Xmx{heap}m", "-XX:+UseSerialGC"),
        *([f"-XX:MaxDirectMemorySize={direct}m"] if direct else []),
        *([f"-XX:MaxMetaspaceSize={metaspace}m"] if metaspace else []),
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
        "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    ]


def process_environment(env: Mapping[str, str], home: Path, configuration: Path) -> dict[str, str]:
    """Return what a process of Flink sees, and with it every worker in Python that it starts: no credential, no setting of the user's."""
    seen = {name: env[name] for name in ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR") if name in env}
    return {
        **seen,
        "HOME": str(configuration.parent),
        "FLINK_HOME": str(home),
        "FLINK_CONF_DIR": str(configuration),
        "FLINK_LIB_DIR": str(home / "lib"),
        "FLINK_OPT_DIR": str(home / "opt"),
        "FLINK_PLUGINS_DIR": str(home / "plugins"),
    }
