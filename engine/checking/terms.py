"""The terms and places a workflow relies on: no absurd length, no clock in vain, no unknown unit."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from engine.checking.naming import WINDOW_GUARDS
from engine.checking.shape import rough_days

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.checking.complaints import Complaints
    from engine.checking.silence import Listening
    from engine.loader import Path
    from engine.workdays import Span

LONGEST = 400
"""Calendar days; a term beyond it is no term."""


def check_terms(place: Complaints, listening: Listening) -> None:
    """Complain about terms of absurd length, clocks nobody hears, and units the office lacks."""
    said: set[tuple[str, Span]] = set()
    for path, about, span in _spans(listening):
        if rough_days(span) > LONGEST and (about, span) not in said:
            said.add((about, span))
            place.say(
                path,
                "absurd-span",
                f"{about} 的 {span.chinese} 超过 {LONGEST} 天，等于没有期限；请改正",
                f"{span} of {about} is over {LONGEST} days, which is no term; correct it",
            )
    windows = {
        text.partition(".")[2]
        for _, move in listening.workflow.moves()
        for text in move.guards
        if text.partition(".")[0] in WINDOW_GUARDS
    }
    for name, spec in listening.workflow.deadlines.items():
        rings = listening.rungs(spec.ladder) or spec.lapses_into is not None
        if not rings and name not in windows:
            place.say(
                ("deadlines", name),
                "clock-without-ladder",
                f"时限 {name} 没有督办阶梯，也没有条件用到它，届满后无事发生；请写明 ladder",
                f"nothing happens as {name} runs out and no guard asks for it; give it a ladder",
            )
    _units(place, listening)


def _spans(listening: Listening) -> Iterator[tuple[Path, str, Span]]:
    workflow = listening.workflow
    rules: list[tuple[Path, str]] = [
        (("states", name, "idle"), state.idle)
        for name, state in workflow.states.items()
        if state.idle
    ]
    ladders: list[tuple[Path, str]] = [
        (("states", name, "idle"), workflow.idle_ladder_in(name))
        for name, state in workflow.states.items()
        if state.idle
    ]
    for name, spec in workflow.deadlines.items():
        others = spec.instead.rules.values() if spec.instead else ()
        rules += [(("deadlines", name, "rule"), rule) for rule in (spec.rule, *others)]
        if spec.ladder is not None:
            ladders.append((("deadlines", name, "ladder"), spec.ladder))
    for path, rule in rules:
        for version in listening.rulebook.rules.get(rule, ()):
            yield path, rule, version.within
            if version.extension:
                yield path, rule, version.extension
    for path, ladder in ladders:
        for rung in listening.rungs(ladder):
            if rung.at.after:
                yield path, ladder, rung.at.after


def _units(place: Complaints, listening: Listening) -> None:
    opens = listening.workflow.opens
    for at, pattern in enumerate(opens.units if opens else ()):
        if not any(fnmatchcase(code, pattern) for code in listening.roster.units):
            place.say(
                ("opens", "units", at),
                "unknown-unit",
                f"名录中没有代码为 {pattern!r} 的单位，不会立项；请改正",
                f"the office has no unit {pattern!r}, so nothing would open; correct the code",
            )
    home = listening.workflow.home
    for key, codes in (
        ("unit", (home.unit,)),
        ("instead", (home.instead,)),
        ("unless_subject", home.unless_subject),
    ):
        for code in codes:
            if code is not None and code not in listening.roster.units:
                place.say(
                    ("home", key),
                    "unknown-unit",
                    f"单位 {code!r} 不在名录中；请改正代码",
                    f"the office has no unit {code!r}; correct the code",
                )
