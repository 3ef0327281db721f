"""``udfs.lock`` as text: what is written is read back the same, by any reader of YAML; what is not a lock is told."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.base.errors import PackageError
from reconciler.base.hints import spell
from reconciler.manifest.model import UNPRINTABLE
from reconciler.packages.lock.file import (
    BuiltFrom,
    Group,
    Inputs,
    Lock,
    Locked,
    NewerFormat,
    checksum,
    dump_lock,
    parse_lock,
    salvage_lock,
)

A, B = "a" * 64, "b" * 64

_UNSEEN = re.compile(f"[{UNPRINTABLE}\\r]")
TEXTS = (
    st.sampled_from((
        *("numpy==1.21.6", 'a; python_version < "3.8"', "./dist/a b.whl", "1.0", "1_000", "0x1F", "0b11", "0o17", "1e5", "😀"),
        *("null", "Yes", "~", ".inf", ".NaN", "2020-01-01", "1:30", "=", "<<", "...", "---", "- a", "a: b", "a #b", "#", "[a]"),
        *("'", '"', "\\", "\t", "a\nb", " a", "a ", "!a", "&a", "*a", "%a", "@a", "`a", "{", "|", ">", "?", "a,b"),
    ))
    | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
        lambda text: not _UNSEEN.search(text)
    )
)  # fmt: skip
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64) | st.sampled_from(("1" * 64, "1e" + "1" * 62))
LISTS = st.lists(TEXTS, max_size=4)
SIZES = st.none() | st.integers(0, 1 << 40)
INPUTS = st.builds(
    Inputs,
    python=TEXTS,
    platform=TEXTS,
    requirements=LISTS,
    constraints=LISTS,
    without=LISTS,
    extra_index=LISTS,
    find_links=LISTS,
    local=st.dictionaries(TEXTS, HASHES, max_size=3),
    build=st.dictionaries(TEXTS, TEXTS, max_size=3),
    prefer_binary=st.booleans(),
    pre_release=st.booleans(),
    no_deps=st.booleans(),
)
FILES = st.builds(
    Locked,
    name=TEXTS,
    version=TEXTS,
    file=TEXTS,
    tag=TEXTS,
    sha256=HASHES,
    size=SIZES,
    path=st.none() | TEXTS,
    source=st.none() | st.builds(BuiltFrom, file=TEXTS, sha256=HASHES, size=SIZES, built_with=TEXTS),
    requirements=LISTS,
    needed_by=LISTS,
)
GROUPS = st.builds(Group, inputs=INPUTS, files=st.lists(FILES, max_size=2, unique_by=lambda one: (one.name, one.file)))
LABELS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}", fullmatch=True) | st.sampled_from(("no", "null", "1", "1.0"))
LOCKS = st.builds(
    Lock,
    packages=st.dictionaries(
        LABELS, st.dictionaries(st.sampled_from(("cp27", "cp37", "cp311")), GROUPS, max_size=2), max_size=2
    ),
)


def ordered(lock: Lock) -> dict[str, Any]:
    """Return what a lock holds with its files in the order of the file."""
    held = {"format": lock.format, "packages": msgspec.to_builtins(lock.packages)}
    for runtimes in held["packages"].values():
        for group in runtimes.values():
            group["files"].sort(key=lambda one: (one["name"], one["file"]))
    return held


@given(LOCKS)
@settings(deadline=None)
def test_what_is_written_is_read_back(lock: Lock) -> None:
    text = dump_lock(lock)
    again = parse_lock(text.encode())
    assert ordered(again) == ordered(lock)
    assert dump_lock(again) == text


def _texts(value: Any) -> Any:
    """Leave only what the file itself says: what is not written is the default."""
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items() if item not in (None, [], {}, False)}
    return [_texts(item) for item in value] if isinstance(value, list) else value


@given(LOCKS)
@settings(deadline=None)
def test_every_other_reader_of_yaml_sees_the_same(lock: Lock) -> None:
    seen = yaml.safe_load(dump_lock(lock))
    for runtimes in seen["packages"].values():
        for group in runtimes.values():
            assert len(group.pop("checksum")) == 16
    assert _texts(seen) == _texts(ordered(lock))


@given(st.permutations(["a", "b", "c"]))
def test_the_order_in_which_things_were_found_leaves_no_trace(order: list[str]) -> None:
    files = [Locked(name=one, version="1", file=f"{one}.whl", tag="t", sha256=A) for one in order]
    inputs = Inputs(python="3.7.3", platform="p", local=dict.fromkeys(order, A), build=dict.fromkeys(order, "x"))
    lock = Lock(packages={one: {"cp37": Group(inputs=inputs, files=files)} for one in order})
    assert dump_lock(lock) == dump_lock(parse_lock(dump_lock(lock).encode()))
    assert re.findall(r"^  (\w):", dump_lock(lock), re.MULTILINE) == ["a", "b", "c"]


GROUP = Group(
    inputs=Inputs(python="3.7.3", platform="manylinux2014_x86_64", requirements=["scipy>=1.7"]),
    files=[
        Locked(
            name="scipy",
            version="1.7.3",
            file="scipy-1.7.3-cp37-cp37m-manylinux_2_12_x86_64.manylinux2010_x86_64.whl",
            tag="cp37-cp37m-manylinux2010_x86_64",
            sha256=A,
            size=38_126_432,
            requirements=["scipy>=1.7"],
        )
    ],
)
TEXT = dump_lock(Lock(packages={"ml": {"cp37": GROUP}}))


def test_a_lock_reads_like_a_list_of_what_is_installed() -> None:
    expected = f"""\
# Written by `udfs lock`. Commit it; to change it, change udfs.yaml and run `udfs lock` again.
format: udfs.lock/1
packages:
  ml:
    cp37:
      checksum: {checksum(GROUP)}
      inputs:
        python: "3.7.3"
        platform: manylinux2014_x86_64
        requirements: [scipy>=1.7]
      files:
        - name: scipy
          version: "1.7.3"
          file: scipy-1.7.3-cp37-cp37m-manylinux_2_12_x86_64.manylinux2010_x86_64.whl
          tag: cp37-cp37m-manylinux2010_x86_64
          sha256: {A}
          size: 38126432
          requirements: [scipy>=1.7]
"""
    assert expected == TEXT


def refused(content: bytes) -> str:
    """Return place and message of the one thing that is wrong."""
    with pytest.raises(PackageError) as error:
        parse_lock(content, "here/udfs.lock")
    [problem] = error.value.problems
    assert problem.code == "E478"
    assert problem.hint is not None
    assert "udfs" in spell(problem.hint)
    return f"{problem.at}: {problem.message}"


BROKEN = {
    "nothing": (b"", "here/udfs.lock:1:1: "),
    "not a mapping": (b"- a\n", "here/udfs.lock:1:1: "),
    "not UTF-8": (TEXT.encode().replace(b"  ml", b"  \xff"), "here/udfs.lock:4:3: "),
    "a merge in conflict": (
        TEXT.replace("          version", "<<<<<<< ours\n          version").encode(), "here/udfs.lock:13:1: the lock has marks of a merge in conflict",
    ),
    "another format": (TEXT.replace("lock/1", "lock/2").encode(), "here/udfs.lock:2:"),
    "no format": (TEXT.replace("format: udfs.lock/1\n", "").encode(), "here/udfs.lock:2:1: it names no format"),
    "a format that is none": (TEXT.replace("udfs.lock/1", "[1, 2]").encode(), "here/udfs.lock:2:"),
    "cut off": (TEXT[:-200].encode(), "here/udfs.lock:"),
    "a hash cut off": (TEXT.replace(A, "a" * 63).encode(), "here/udfs.lock:16:19: "),
    "a size that is none": (TEXT.replace("38126432", "38 MB").encode(), "here/udfs.lock:17:17: "),
    "a negative size": (TEXT.replace("38126432", "-1").encode(), "here/udfs.lock:17:17: "),
    "a key twice": (TEXT.replace("          size", "          tag: x\n          size").encode(), "here/udfs.lock:17:11: "),
    "an unknown key": (TEXT.replace("size", "url").encode(), "here/udfs.lock:17:"),
    "an unknown runtime": (TEXT.replace("cp37:", "jython:").encode(), "here/udfs.lock:5:"),
    "a package that is none": (TEXT.replace("ml:", "'m l':").encode(), "here/udfs.lock:4:"),
    "a list for packages": (b"format: udfs.lock/1\npackages: [a]\n", "here/udfs.lock:2:"),
    "an anchor": (TEXT.replace("scipy-1", "&a scipy-1").encode(), "here/udfs.lock:14:"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "begin"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_lock_is_refused_at_its_place(content: bytes, begin: str) -> None:
    assert refused(content).startswith(begin)


TWO = structs.replace(
    GROUP,
    files=[*GROUP.files, structs.replace(GROUP.files[0], name="idna", version="3.7", needed_by=["scipy"])],
)


@pytest.mark.parametrize(
    ("was", "became"),
    [
        ("size: 38126432", "size: 1"),
        ('version: "1.7.3"', 'version: "1.7.4"'),
        ("requirements: [scipy>=1.7]\n      files", "requirements: []\n      files"),
    ],
)
def test_what_a_hand_or_a_merge_changed_is_no_lock_that_was_made(was: str, became: str) -> None:
    assert was in TEXT
    said = refused(TEXT.replace(was, became).encode())
    assert said == "here/udfs.lock:5:5: 'ml' for cp37 is not as `udfs lock` wrote it: a merge or a hand changed it"


def test_an_entry_that_a_merge_lost_is_missed() -> None:
    text = dump_lock(Lock(packages={"ml": {"cp37": TWO}}))
    start, end = text.index("        - name: idna"), text.index("        - name: scipy")
    assert "is not as `udfs lock` wrote it" in refused((text[:start] + text[end:]).encode())


def test_of_a_merge_in_conflict_the_versions_of_the_first_side_are_kept() -> None:
    conflict = '<<<<<<< HEAD\n          version: "1.7.2"\n=======\n          version: "1.7.3"\n>>>>>>> theirs\n'
    [kept] = salvage_lock(TEXT.replace('          version: "1.7.3"\n', conflict).encode()).packages["ml"]["cp37"].files
    assert (kept.name, kept.version, kept.size) == ("scipy", "1.7.2", None)


def test_what_a_newer_udfs_wrote_is_not_written_over() -> None:
    with pytest.raises(NewerFormat):
        salvage_lock(TEXT.replace("lock/1", "lock/2").encode())


@given(st.integers(0, len(TEXT)), st.integers(0, 30), st.text("ab01:[]{}\"'\n -#&*!|<>=", max_size=6))
@settings(deadline=None)
def test_a_lock_that_somebody_damaged_is_read_or_refused(start: int, length: int, put: str) -> None:
    content = (TEXT[:start] + put + TEXT[start + length :]).encode()
    try:
        found = parse_lock(content)
    except PackageError:
        refused(content)
    else:
        assert dump_lock(parse_lock(dump_lock(found).encode())) == dump_lock(found)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_lock_or_one_problem(content: bytes) -> None:
    refused(content)


BEFORE = Inputs(
    python="3.7.3", platform="manylinux2014_x86_64", requirements=["a", "b"], local={"x": A, "y": A}, build={"z": "1"}
)


@pytest.mark.parametrize(
    ("changed", "sentences"),
    [
        ({}, []),
        ({"requirements": ["b", "c<2"]}, ["requirements: 'c<2' was added", "requirements: 'a' is gone"]),
        ({"python": "3.7.9"}, ["python was '3.7.3' and is '3.7.9'"]),
        ({"no_deps": True}, ["no_deps was false and is true"]),
        ({"local": {"x": B, "y": A, "w": A}}, ["local: 'w' was added", "local: 'x' has changed"]),
        ({"local": {"x": A}, "build": {}}, ["local: 'y' is gone", "build: 'z' is gone"]),
        ({"requirements": ["b", "a"]}, ["requirements are in another order"]),
    ],
)
def test_why_a_lock_is_stale_is_told_in_sentences(changed: dict[str, Any], sentences: list[str]) -> None:
    assert list(BEFORE.differences(structs.replace(BEFORE, **changed))) == sentences
