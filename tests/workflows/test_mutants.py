from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from engine.calendars import carried
from engine.checking.configurations import Step, explore
from engine.deadlines import IDLE, Clock, Clockwork
from engine.errors import DefinitionError
from engine.loader import MOST_BYTES, Document, parse
from engine.reading import read_rulebook, read_workflow
from tests.workflows.mutants import ALL, TEN_SILENCES, Mutant, findings, mutate, real_files
from tests.workflows.sample import SAMPLE

MALFORMED = [
    ("an alias", b"a: &x 1\nb: *x\n", "not-yaml", 2),
    ("a merge key", b"a: {b: c}\nd:\n  <<: {e: f}\n", "merge-key", 3),
    ("a repeated key", b"a: 1\nb: 2\na: 3\n", "repeated-key", 3),
    ("a tag", b"a: 1\nb: !!python/object:os.system {}\n", "tag", 2),
    ("a local tag", b"a: 1\nb: !run x\n", "tag", 2),
    ("a key that is a list", b"a: 1\n? [b]\n: 2\n", "bad-key", 2),
    ("fifty thousand brackets", b"a: 1\nb: " + b"[" * 50_000, "too-deep", 2),
    ("fifty thousand braces", b"a: 1\nb: " + b"{a: " * 50_000, "too-deep", 2),
    ("fifty thousand dashes", b"a: 1\nb:\n  " + b"- " * 50_000, "too-deep", 3),
    ("a staircase", b"".join(b" " * 2 * n + b"a:\n" for n in range(400)), "too-deep", 66),
    ("a bracket left open", b"a: 1\nb: [c\n", "not-yaml", 3),
    ("bytes of another age", "a: 1\nb: 执法\n".encode("gbk"), "not-utf8", 2),
    ("a control character", b"a: 1\nb: \x07\n", "not-yaml", 1),
    ("two documents", b"a: 1\n---\nb: 2\n", "not-yaml", 2),
    ("nothing", b"# only a comment\n", "empty", 1),
    ("a file of many megabytes", b"a: " + b"x" * MOST_BYTES, "too-large", 0),
    ("too many values", b"a:\n" + b"- 1\n" * 20_001, "too-many", 20_000),
]


@cache
def originals() -> dict[str, Document]:
    """The files as they are."""
    return real_files()


def test_the_office_as_it_is_cannot_go_silent() -> None:
    """The real files are sound, and proven in the sample office."""
    assert [str(finding) for finding in findings(originals())] == []


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_is_refused_under_its_name(mutant: Mutant) -> None:
    """Whatever is broken, in the files or in the office, is found, named and explained."""
    roster = mutant.roster(SAMPLE) if mutant.roster else SAMPLE
    found = findings(mutate(originals(), mutant), roster, mutant.templates_lost)
    assert mutant.expected in {finding.name for finding in found}
    for finding in found:
        assert finding.file.endswith(".yaml")
        assert finding.sentence


def test_the_corpus_is_large_and_names_the_ten_silences() -> None:
    """At least sixty different ways, ten of them known from comparable systems."""
    assert len({mutant.name for mutant in ALL}) == len(ALL) >= 60
    assert len(TEN_SILENCES) == 10


def turned(clockwork: Clockwork, step: Step) -> list[Clock]:
    """The clocks the engine itself leaves running after a step, started from where it began."""
    spec = clockwork.workflow
    began = datetime(2026, 3, 2, 1, tzinfo=UTC)
    clocks: list[Clock] = []
    if step.before is not None:
        for name in step.before.running | step.before.paused:
            clock = clockwork.start(name, spec.deadlines[name].rule, began)
            if name in step.before.paused:
                clock.pauses, clock.paused_at = [(began, None)], began
            clocks.append(clock)
    state, now = "", began + timedelta(days=1)
    for name in step.names:
        move = spec.variant(name, state) if state else step.move
        assert move is not None
        turn = clockwork.turn(
            clocks, name, move.to, now, returns=move.returns, received_at=began, data={}
        )
        clocks = [c for c in [*clocks, *turn.started] if c.stopped_at is None]
        state = move.to
    return clocks


@pytest.mark.parametrize("name", sorted(originals().keys() - {"rules", "texts"}))
def test_the_proof_turns_the_clocks_exactly_as_the_engine_does(name: str) -> None:
    """Every step the proof explored, made by the engine's own clockwork, ends in the same stand."""
    files = originals()
    shared = read_rulebook(files["rules"]).vocabularies
    specs = {w: read_workflow(files[w], shared) for w in files.keys() - {"rules", "texts"}}
    clockwork = Clockwork(specs[name], read_rulebook(files["rules"]), carried())
    graph = explore(specs[name], specs)
    assert graph.steps
    for step in graph.steps:
        clocks = turned(clockwork, step)
        limits = [clock for clock in clocks if clock.kind == "limit"]
        assert step.after.running == {c.name for c in limits if c.paused_at is None}
        assert step.after.paused == {c.name for c in limits if c.paused_at is not None}
        idle = specs[name].states[step.after.state].idle is not None
        assert idle == any(clock.name == IDLE for clock in clocks)


@pytest.mark.parametrize(
    ("raw", "name", "line"),
    [case[1:] for case in MALFORMED],
    ids=[case[0] for case in MALFORMED],
)
def test_yaml_that_surprises_is_refused_at_its_line(raw: bytes, name: str, line: int) -> None:
    """No alias, tag, merge key, repeated key or bomb gets past the reader, or ends the process."""
    with pytest.raises(DefinitionError) as refusal:
        parse(raw, "broken.yaml")
    first = refusal.value.findings[0]
    assert (first.name, first.line) == (name, line)
