"""What a mirror gives is read only if Debian's signature vouches for it, down to each package."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import PackageError
from reconciler.packages.debian.mirror import Mirror, find_mirror
from reconciler.packages.fetch.indexes import Remote
from tests.packages.debian.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.packages.debian.index import PackageIndex

pytestmark = pytest.mark.skipif(shutil.which("gpgv") is None, reason="needs gpgv")

SMALL = "libmagic1"


class Copy:
    """A mirror in a folder, with a suite and one package as Debian has them."""

    def __init__(self, folder: Path, mirror: Mirror, index: PackageIndex) -> None:
        stanza = index.stanza(SMALL)
        assert stanza is not None
        self.stanza, self.folder = stanza, folder
        self.release, self.packed = (
            folder / "dists/bookworm/InRelease",
            folder / "dists/bookworm/main/binary-amd64/Packages.xz",
        )
        self.deb = folder / stanza.path
        for path, below in (
            (self.release, "dists/bookworm/InRelease"),
            (self.packed, "dists/bookworm/main/binary-amd64/Packages.xz"),
            (self.deb, stanza.path),
        ):
            path.parent.mkdir(parents=True)
            mirror.downloads.fetch(Remote.at(f"{mirror.address.rstrip('/')}/{below}", None), path.parent)
        self.address = folder.as_uri()


@pytest.fixture(scope="module")
def original(mirror: Mirror, bookworm: PackageIndex, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("mirror"), mirror, bookworm)


@pytest.fixture
def copy(original: Copy, tmp_path: Path) -> Copy:
    """Return a mirror that a test may change."""
    changed = object.__new__(Copy)
    shutil.copytree(original.folder, tmp_path / "mirror")
    changed.__dict__.update(
        {
            name: tmp_path / "mirror" / value.relative_to(original.folder) if isinstance(value, Path) else value
            for name, value in vars(original).items()
        }
    )
    changed.address = (tmp_path / "mirror").as_uri()
    return changed


def replace_byte(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(PackageError) as raised:
        action()
    return raised.value.problems[0].code


def test_two_mirrors_give_the_same_packages(
    copy: Copy, bookworm: PackageIndex, open_mirror: Callable[..., Mirror], tmp_path: Path
) -> None:
    other = open_mirror(copy.address, tmp_path / "cold")
    release, index = other.read_suite("bookworm", now=NOW)
    assert release.is_signed
    assert [*index.names] == [*bookworm.names]
    assert other.fetch(copy.stanza.path, copy.stanza.sha256, SMALL).sha256 == copy.stanza.sha256


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.98])
def test_one_changed_byte_of_the_signed_text_is_refused(
    copy: Copy, open_mirror: Callable[..., Mirror], share: float
) -> None:
    content = copy.release.read_bytes()
    start, end = content.index(b"Origin:"), content.index(b"-----BEGIN PGP SIGNATURE")
    replace_byte(copy.release, start + int((end - start) * share))
    assert refusal(lambda: open_mirror(copy.address).read_suite("bookworm", now=NOW)) == "E450"


def test_what_stands_around_the_signed_text_is_not_read(copy: Copy, open_mirror: Callable[..., Mirror]) -> None:
    """gpgv accepts it; a reader of the file itself would take the first Codename for the suite's."""
    forged = b"Codename: trixie\nSHA256:\n " + b"0" * 64 + b" 1 main/binary-amd64/Packages.xz\n\n"
    copy.release.write_bytes(forged + copy.release.read_bytes())
    release, _ = open_mirror(copy.address).read_suite("bookworm", now=NOW)
    assert (release.suite, release.files["main/binary-amd64/Packages.xz"][1] > 1) == ("bookworm", True)


def test_a_signature_that_is_taken_off_is_refused(copy: Copy, open_mirror: Callable[..., Mirror]) -> None:
    text = copy.release.read_text()
    copy.release.write_text(text.partition("\n\n")[2].partition("-----BEGIN PGP SIGNATURE")[0])
    assert refusal(lambda: open_mirror(copy.address).read_suite("bookworm", now=NOW)) == "E450"


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_one_changed_byte_of_the_index_is_refused(
    copy: Copy, open_mirror: Callable[..., Mirror], share: float, tmp_path: Path
) -> None:
    replace_byte(copy.packed, int(copy.packed.stat().st_size * share))
    assert refusal(lambda: open_mirror(copy.address, tmp_path / "cold").read_suite("bookworm", now=NOW)) == "E451"


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_one_changed_byte_of_a_package_is_refused_and_nothing_is_kept(
    copy: Copy, open_mirror: Callable[..., Mirror], share: float, tmp_path: Path
) -> None:
    replace_byte(copy.deb, int(copy.deb.stat().st_size * share))
    mirror = open_mirror(copy.address, tmp_path / "cold")
    assert refusal(lambda: mirror.fetch(copy.stanza.path, copy.stanza.sha256, SMALL)) == "E451"
    assert mirror.cache.get(copy.stanza.sha256) is None


def test_a_package_that_the_mirror_dropped_names_itself_and_comes_from_the_cache(
    copy: Copy, open_mirror: Callable[..., Mirror], tmp_path: Path
) -> None:
    warm = open_mirror(copy.address, tmp_path / "warm")
    warm.fetch(copy.stanza.path, copy.stanza.sha256, SMALL)
    copy.deb.unlink()
    assert warm.fetch(copy.stanza.path, copy.stanza.sha256, SMALL).size == copy.stanza.size
    with pytest.raises(PackageError) as raised:
        open_mirror(copy.address, tmp_path / "cold").fetch(copy.stanza.path, copy.stanza.sha256, SMALL)
    (problem,) = raised.value.problems
    assert (problem.code, problem.message) == ("E454", f"the mirror does not have the package '{SMALL}'")
    assert problem.hint


def test_a_release_older_than_the_locked_one_is_refused(copy: Copy, open_mirror: Callable[..., Mirror]) -> None:
    release, _ = open_mirror(copy.address).read_suite("bookworm", now=NOW)
    later = release.date + timedelta(days=1)
    assert refusal(lambda: open_mirror(copy.address).read_suite("bookworm", now=NOW, locked=later)) == "E450"
    open_mirror(copy.address).read_suite("bookworm", now=NOW, locked=release.date)


def test_a_suite_under_another_name_is_refused(copy: Copy, open_mirror: Callable[..., Mirror]) -> None:
    """A signed suite cannot be passed off as another."""
    (copy.folder / "dists/bookworm").rename(copy.folder / "dists/trixie")
    assert refusal(lambda: open_mirror(copy.address).read_suite("trixie", now=NOW)) == "E450"


def test_without_gpgv_a_mirror_is_trusted_only_if_a_person_says_so(
    copy: Copy, open_mirror: Callable[..., Mirror], tmp_path: Path
) -> None:
    bare = open_mirror(copy.address)
    without = Mirror(bare.address, bare.downloads, bare.cache, {"PATH": str(tmp_path)})
    assert refusal(lambda: without.read_suite("bookworm", now=NOW)) == "E450"
    told = Mirror(bare.address, bare.downloads, bare.cache, {"PATH": str(tmp_path)}, allow_unsigned=True)
    release, index = told.read_suite("bookworm", now=NOW)
    assert (release.is_signed, len(index) > 1000) == (False, True)


def test_the_second_reading_asks_for_no_index(copy: Copy, open_mirror: Callable[..., Mirror], tmp_path: Path) -> None:
    first = open_mirror(copy.address, tmp_path / "warm")
    _, index = first.read_suite("bookworm", now=NOW)
    copy.packed.unlink()
    assert [*open_mirror(copy.address, tmp_path / "warm").read_suite("bookworm", now=NOW)[1].names] == [*index.names]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("deb http://mirror.invalid/debian bookworm main\n", "http://mirror.invalid/debian"),
        ("deb [arch=amd64] https://mirror.invalid/debian/ bookworm main\n", "https://mirror.invalid/debian/"),
        ("# deb http://no.invalid/debian bookworm main\ndeb http://mirror.invalid/ubuntu x main\n", None),
        (
            "Types: deb\nURIs: http://mirror.invalid/debian\nSuites: bookworm\nComponents: main\n",
            "http://mirror.invalid/debian",
        ),
        ("Types: deb\nEnabled: no\nURIs: http://mirror.invalid/debian\nSuites: x\nComponents: main\n", None),
        ("Types: deb\nURIs: http://mirror.invalid/debian-security\nSuites: x\nComponents: main\n", None),
    ],
)
def test_the_mirror_is_that_of_apt_where_nothing_else_is_said(tmp_path: Path, text: str, address: str | None) -> None:
    (tmp_path / "sources.list").write_text(text)
    if address is None:
        assert refusal(lambda: find_mirror({}, tmp_path)) == "E454"
    else:
        assert find_mirror({}, tmp_path) == address
    assert find_mirror({"UDFS_DEBIAN_MIRROR": "file:///m"}, tmp_path) == "file:///m"


def test_an_expired_release_is_refused(open_mirror: Callable[..., Mirror], copy: Copy) -> None:
    """Suites of Debian's archive have no such date, those of its security team have: here by a text that nobody signed."""
    text = copy.release.read_text().replace(
        "\nAcquire-By-Hash", "\nValid-Until: Sat, 18 Jul 2026 10:16:37 UTC\nAcquire-By-Hash", 1
    )
    copy.release.write_text(text)
    locked = datetime(2020, 1, 1, tzinfo=timezone.utc)
    mirror = open_mirror(copy.address)
    unsigned = Mirror(mirror.address, mirror.downloads, mirror.cache, {"PATH": ""}, allow_unsigned=True)
    assert refusal(lambda: unsigned.read_suite("bookworm", now=NOW, locked=locked)) == "E450"
