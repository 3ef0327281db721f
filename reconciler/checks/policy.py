"""
Policy checks of a manifest and a plan: names, owners, sizes, packages, tests, and freezes.

Pure: what time it is comes in. Each finding stands where the manifest asks for what is not allowed, and says where the
policy forbids it.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from reconciler.base.errors import Problem
from reconciler.manifest.policy_file import DAYS, bytes_of, moment_of, time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.core.plan import Plan
    from reconciler.core.state import DesiredState
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.policy_file import Frozen, Rules
    from reconciler.packages.artifacts import Artifacts


def of_manifest(loaded: Loaded, desired: DesiredState, artifacts: Artifacts) -> list[Problem]:
    """Return what a manifest asks for and the policy does not allow."""
    return [
        problem
        for rules in loaded.policies
        for problems in (
            _names(loaded, rules),
            _sizes(desired, rules),
            _packages(loaded, artifacts, rules),
            _tests(loaded, rules),
            _promotions(loaded, rules),
        )
        for problem in problems
    ]


def of_plan(policies: Iterable[Rules], plan: Plan) -> list[Problem]:
    """Return the objects that a plan manages and that belong to somebody who may not own them."""
    return [
        Problem(
            "E533",
            f"{change.key} belongs to {change.live.owner}",
            at=change.desired.origin if change.desired else None,
            hint=f"{rules.at('owners')} allows {', '.join(rules.policy.owners)}",
        )
        for rules in policies
        if rules.policy.owners
        for change in (*plan.changes, *plan.unchanged)
        if change.live and change.live.owner and not _fits(change.live.owner, rules.policy.owners)
    ]


def of_time(policies: Iterable[Rules], now: datetime) -> list[Problem]:
    """Return the freezes that `now` is in; `now` knows its zone."""
    return [
        Problem(
            "E537",
            f"nothing is applied now{f': {frozen.why}' if frozen.why else ''}",
            at=rules.at("frozen", number),
            hint=f"it is {now.astimezone(ZoneInfo(frozen.zone)):%a %Y-%m-%d %H:%M} in {frozen.zone}; "
            f"the freeze is {_stretch(frozen)}",
        )
        for rules in policies
        for number, frozen in enumerate(rules.policy.frozen)
        if is_frozen(frozen, now)
    ]


def _stretch(frozen: Frozen) -> str:
    hours = f"from {frozen.from_ or '00:00'} to {frozen.to or '00:00'}" if frozen.from_ or frozen.to else ""
    return " ".join(part for part in (", ".join(frozen.days), hours) if part)


def is_frozen(frozen: Frozen, now: datetime) -> bool:
    """Say whether a moment is in a freeze, by the clock on the wall there."""
    wall = now.astimezone(ZoneInfo(frozen.zone)).replace(tzinfo=None)
    if frozen.days:
        first, last = time_of(frozen.from_ or "00:00") or time.min, time_of(frozen.to or "00:00") or time.min
        return any(begin <= wall < end for begin, end in _stretches(wall, first, last, frozen.days))
    begins, ends = moment_of(frozen.from_ or ""), moment_of(frozen.to or "")
    assert begins is not None
    assert ends is not None
    return begins[0] <= wall < ends[0] + timedelta(days=1 if ends[1] else 0)


def _stretches(wall: datetime, first: time, last: time, days: Sequence[str]) -> Iterator[tuple[datetime, datetime]]:
    """Yield the stretches that begin today and yesterday, if those are among the days."""
    for date in (wall.date(), wall.date() - timedelta(days=1)):
        if DAYS[date.weekday()] in days:
            end = date if last > first else date + timedelta(days=1)
            yield datetime.combine(date, first), datetime.combine(end, last)


def _names(loaded: Loaded, rules: Rules) -> Iterator[Problem]:
    for section, patterns, names in (
        ("functions", rules.policy.names.functions, loaded.manifest.functions),
        ("resources", rules.policy.names.resources, loaded.manifest.resources),
    ):
        for name in names:
            if patterns and not _fits(name, patterns):
                hint = f"{rules.at('names', section)} allows {', '.join(patterns)}"
                yield loaded.problem("E532", f"the policy does not allow the name '{name}'", section, name, hint=hint)


def _sizes(desired: DesiredState, rules: Rules) -> Iterator[Problem]:
    allowed = rules.policy.max_size
    most = bytes_of(allowed) if allowed else None
    for key, want in sorted(desired.items()):
        if most is not None and (size := want.object.kind.size(want.object)) > most:
            hint = f"{rules.at('max_size')} allows {allowed}"
            yield Problem("E534", f"{key} has {size:,} bytes", at=want.origin, hint=hint)


def _packages(loaded: Loaded, artifacts: Artifacts, rules: Rules) -> Iterator[Problem]:
    if not rules.policy.forbid_packages:
        return
    # Few policies forbid packages, and this import would be a tenth of a small command's time.
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name, parse_wheel_filename

    wheels = {
        (package, wheel.filename)
        for (package, _), archives in artifacts.archives.items()
        for archive in archives
        for wheel in archive.wheels
    }
    for number, text in enumerate(rules.policy.forbid_packages):
        forbidden = Requirement(text)
        for package, filename in sorted(wheels):
            name, version, _, _ = parse_wheel_filename(filename)
            if name == canonicalize_name(forbidden.name) and forbidden.specifier.contains(version, prereleases=True):
                hint = f"{rules.at('forbid_packages', number)} forbids {text}"
                yield loaded.problem(
                    "E535", f"the package '{package}' brings {name} {version}", "packages", package, hint=hint
                )


def _tests(loaded: Loaded, rules: Rules) -> Iterator[Problem]:
    for name, function in loaded.manifest.functions.items():
        if rules.policy.require_tests and not function.tests:
            hint = f"{rules.at('require_tests')} wants a test for each; add `tests:`"
            yield loaded.problem("E536", f"function '{name}' has no test", "functions", name, hint=hint)


def _promotions(loaded: Loaded, rules: Rules) -> Iterator[Problem]:
    for target, wanted in rules.policy.promote.items():
        have = loaded.manifest.promote.get(target)
        is_kept = have and have.after == wanted.after and have.verified >= wanted.verified
        if target in loaded.manifest.targets and not is_kept:
            line = f"{{after: {wanted.after}{', verified: true' if wanted.verified else ''}}}"
            hint = f"{rules.at('promote', target)} wants `promote: {{{target}: {line}}}`"
            message = f"target '{target}' may get what was not proven in '{wanted.after}'"
            keys = ("promote", target) if have else ("targets", target)
            yield loaded.problem("E757", message, *keys, hint=hint)


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)
