"""
Head of a job: the program that Flink is given, which registers the manifest's functions and then runs what the user wrote.

Functions are registered in every table environment that a ``main:`` creates, as temporary system functions: they have no database, hide built-in ones of
their name and end with the program. A failure of planning is handed to Java with its traceback, as Flink itself says only *Python process exits with
code: 1* [run on 1.20.5]. Flink keeps such a text until the next program hands it one, so each is signed with the path of its program. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from pprint import pformat
from typing import TYPE_CHECKING, Literal, TypeAlias

from reconciler.targets.flink.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.targets.flink.statements import SqlStatement

Language: TypeAlias = Literal["PYTHON", "JAVA"]

SIGNATURE = "said by "
"""Begins the last line of what a program says; its path follows."""

FILES_FOLDER = "usrlib"
"""Where the workers of Apache's engine have the files of a job, beside its archives."""


@dataclass(frozen=True)
class Registration:
    """A function that SQL calls by a name."""

    name: str
    language: Language
    path: str
    """``udfs.near`` or ``com.example.Upper``."""

    @property
    def sql(self) -> str:
        """The statement that registers it."""
        return f"CREATE TEMPORARY SYSTEM FUNCTION `{self.name}` AS '{self.path}' LANGUAGE {self.language}"


def program_text(
    registrations: Sequence[Registration],
    *,
    main: str | None,
    sql: str | None,
    name: str = "the SQL",
    batch: bool = False,
    is_module: bool = False,
) -> str:
    """
    Return the program of a job: it runs the Python program at the path `main`, or the module of that name, or the statements of the text `sql`.

    `name` is what errors call that text; E489 where it cannot be cut into statements. `batch` is for SQL: a program in Python chooses for itself. The
    same input gives the same text.
    """
    statements = [] if main is not None else [_step(statement) for statement in read_statements(sql or "", name)]
    description = {
        "functions": [registration.sql for registration in registrations],
        "main": main,
        **({"is_module": True} if is_module else {}),
        "sql": name,
        "is_batch": batch,
        "statements": statements,
    }
    return _PROGRAM.replace("{}", pformat(description, width=120, sort_dicts=False), 1)


def _step(statement: SqlStatement) -> tuple[int, str, str, str]:
    """Return what the program does about a statement: its line, what kind it is of, and its text or the two parts of a setting."""
    if setting := statement.setting:
        return (statement.line, "set", *setting)
    if insert := statement.insert:
        return (statement.line, "insert", insert, "")
    return (statement.line, "execute", statement.text, "")


_PROGRAM = '''\
"""The program of a job: written by udfs."""

import runpy
import sys
import traceback

from pyflink.java_gateway import get_gateway
from pyflink.table import EnvironmentSettings, TableEnvironment

JOB = {}


def say(text):
    """Have Flink answer with a text if this program fails."""
    java = get_gateway().jvm
    flink = java.org.apache.flink
    failed = flink.runtime.clusterframework.ApplicationStatus.FAILED
    signed = text + "\\nsaid by " + __file__
    error = flink.client.deployment.application.UnsuccessfulExecutionException(
        flink.api.common.JobID(), failed, signed, None
    )
    flink.client.python.PythonEnvUtils.setPythonException(error)


def reason_of(error):
    """Return what Python says of a failure; where Java failed behind it, the last cause there, which may be Python's again."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    text = "".join(line for line in lines if __file__ not in line and "runpy" not in line)
    python, _, java = text.partition("\\n\\tat ")
    start = java.rfind("Traceback (most recent call last):")
    if start >= 0:
        return java[start:].partition("\\n\\tat ")[0].rstrip()
    causes = [line.partition(": ")[2] for line in java.splitlines() if line.startswith("Caused by: ")]
    return "\\n".join([python.rstrip(), *causes[-1:]])


place = []
create = TableEnvironment.__init__


def create_with_functions(self, *arguments, **options):
    create(self, *arguments, **options)
    for statement in JOB["functions"]:
        self.execute_sql(statement)


TableEnvironment.__init__ = create_with_functions


def run_sql():
    mode = EnvironmentSettings.in_batch_mode if JOB["is_batch"] else EnvironmentSettings.in_streaming_mode
    environment = TableEnvironment.create(mode())
    inserts = environment.create_statement_set()
    for line, kind, text, value in JOB["statements"]:
        place[:] = ["in the statement at " + JOB["sql"] + ":" + str(line)]
        if kind == "set":
            environment.get_config().set(text, value)
        elif kind == "insert":
            inserts.add_insert_sql(text)
        else:
            environment.execute_sql(text)
    place.clear()
    inserts.execute()


def run():
    if JOB["main"] is None:
        run_sql()
    elif JOB.get("is_module"):
        runpy.run_module(JOB["main"], run_name="__main__", alter_sys=True)
    else:
        sys.argv[0] = JOB["main"]
        runpy.run_path(JOB["main"], run_name="__main__")


say("the program ended without a word: it was killed, or left by os._exit")
try:
    run()
except SystemExit as error:
    say("the program left with " + str(error.code))
    raise
except BaseException as error:
    # A program that is only planned is ended by an exception of Java's, which has to stay what it is.
    if "ProgramAbortException" not in str(error):
        say("\\n".join([reason_of(error), *place]))
    raise
'''
