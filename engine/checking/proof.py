"""不沉默证明: that no item of a workflow, wherever it stands, can go silent in this office.

For every configuration an item can reach (`engine.checking.configurations`): a clock runs that has not rung
out; its ladder ends with somebody above and outside; every rung has a living recipient, whoever is
complained of, accused or on leave; and an end can still be reached by guards that hold together and
people who exist. What fails is told with a shortest way there, as a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from engine.checking.circles import circles
from engine.checking.complaints import Complaints
from engine.checking.configurations import MOST, explore
from engine.checking.exits import Casting, family, never_sure, stuck
from engine.checking.silence import IDLE, Cover, Listening, Scene, Wait
from engine.checking.terms import check_terms
from engine.roster import NOBODY, People

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from engine.checking.configurations import Configuration, Graph
    from engine.definition import Workflow
    from engine.errors import Finding
    from engine.loader import Document, Path
    from engine.roster import Roster
    from engine.rulebook import Rulebook

SILENCES = {
    "silent-state": (
        "没有任何运行中的时限，无人会被通知；请写 idle 或起算一个时限",
        "no clock runs and nobody is told; name an `idle` rule or start a deadline",
    ),
    "paused-silence": (
        "时限 {} 在此中止，中止期间无人会被通知；请写 idle",
        "{} stands still here and nothing else runs; name an `idle` rule",
    ),
    "spent-clock": (
        "时限 {} 可能早已响完，此后再无人知晓；请为该环节写 idle",
        "the ladder of {} may have rung out before; name an `idle` rule",
    ),
    "distant-date": (
        "时限 {} 到哪一天由人填写，可能很远，此前无人知晓；请为该环节写 idle",
        "{} is due on a date that people name, however far away; name an `idle` rule",
    ),
    "waits-for-nobody": (
        "等待 {}，但不一定有这样的必办子事项，或它自己会沉默，或办结后不回告；请改正或写 idle",
        (
            "it waits on {}, which need not be there, is not proven, or does not move its parent "
            "when done; spawn it as mandatory and let it tell, or name an `idle` rule"
        ),
    ),
}
"""Why nobody would hear: name -> the sentence in Chinese and English, about a clock or a child."""

ABUSE = Cover("abuse", (), "abuse", fresh=True)
"""The clock the engine starts when an item goes back and forth or a clock is played with."""


class Silence(NamedTuple):
    """The longest an item can stand before somebody other than its holders hears of it."""

    state: str
    wait: Wait


@dataclass(frozen=True)
class Proof:
    """What the proof of one workflow found; it holds when there are no findings."""

    workflow: Workflow
    findings: list[Finding] = field(default_factory=list)
    longest_silence: Silence | None = None
    configurations: int = 0

    @property
    def holds(self) -> bool:
        """Whether no item of this workflow can go silent."""
        return not self.findings


def prove_all(
    workflows: Sequence[tuple[Workflow, Document]], rulebook: Rulebook, roster: Roster
) -> list[Proof]:
    """Prove every workflow, children before the parents that wait on them.

    The files must be sound (`engine.checking.soundness`).
    """
    by_name = {workflow.workflow: workflow for workflow, _ in workflows}
    proofs: dict[str, Proof] = {}
    proven: frozenset[str] = frozenset()
    while True:
        for workflow, document in workflows:
            if workflow.workflow not in proven:
                proofs[workflow.workflow] = prove(
                    workflow, document, by_name, rulebook, roster, proven=proven
                )
        holding = frozenset(name for name, proof in proofs.items() if proof.holds)
        if holding == proven or not any(
            s.waits_on for w in by_name.values() for s in w.states.values()
        ):
            return [proofs[workflow.workflow] for workflow, _ in workflows]
        proven = holding


def prove(
    workflow: Workflow,
    document: Document,
    workflows: Mapping[str, Workflow],
    rulebook: Rulebook,
    roster: Roster,
    *,
    proven: Collection[str] = (),
) -> Proof:
    """Prove one workflow; ``proven`` are the workflows whose items a state may wait on."""
    prover = _Prover(workflow, document, workflows, rulebook, roster, proven)
    prover.check()
    return Proof(workflow, prover.place.found, prover.longest, len(prover.graph.first))


class _Prover:
    def __init__(
        self,
        workflow: Workflow,
        document: Document,
        workflows: Mapping[str, Workflow],
        rulebook: Rulebook,
        roster: Roster,
        proven: Collection[str],
    ) -> None:
        self.workflow = workflow
        self.workflows = workflows
        self.rulebook = rulebook
        self.roster = roster
        self.proven = proven
        self.place = Complaints(document)
        self.listening = Listening(workflow, rulebook, roster)
        self.graph: Graph = explore(workflow, workflows)
        self.longest: Silence | None = None
        self._said: set[tuple[str, str]] = set()

    def check(self) -> None:
        check_terms(self.place, self.listening)
        if not self.graph.complete:
            self._say(
                ("workflow",),
                "too-tangled",
                "",
                f"可能情形超过 {MOST} 种，无法证明；请拆分流程",
                f"more than {MOST} configurations; split the workflow",
            )
            return
        self._covered()
        self._restarted()
        self._ends()

    def _say(self, path: Path, name: str, about: str, chinese: str, english: str) -> None:
        if (name, about) not in self._said:
            self._said.add((name, about))
            self.place.say(path, name, chinese, english)

    # ------------------------------------------------------------------------------ clocks

    def _covered(self) -> None:
        """Some clock that has not rung out runs on every open configuration, and is heard."""
        done: set[tuple[str, tuple[Cover, ...]]] = set()
        heard: set[tuple[str, str]] = set()
        for step in self.graph.steps:
            at = step.after
            state = self.workflow.states[at.state]
            if state.final:
                continue
            covers = tuple(self.listening.covers(step))
            if not self._waits(at) and not any(cover.sure for cover in covers):
                self._silent(at, covers)
            abused = step.move.returns or at.paused  # the engine's own alarms may ring here
            for cover in (*covers, ABUSE) if abused else covers:
                if cover.ladder and (at.state, cover.ladder) not in heard:
                    heard.add((at.state, cover.ladder))
                    self._heard(at, cover)
            if (at.state, covers) not in done:
                done.add((at.state, covers))
                self._measure(at, [cover for cover in covers if cover.sure])

    def _waits(self, at: Configuration) -> bool:
        """Whether a proven mandatory child is there and moves its parent on when it is done."""
        for name in self.workflow.states[at.state].waits_on:
            child = self.workflows.get(name)
            if child is None or name not in self.proven or f"spawned {name}" not in at.marks:
                continue
            ends = [t for _, t in child.moves() if child.states[t.to].final]
            if all(
                any(
                    e.parent and self.workflow.variant(e.parent.transition, at.state)
                    for e in t.effects
                )
                for t in ends
            ):
                return True
        return False

    def _silent(self, at: Configuration, covers: tuple[Cover, ...]) -> None:
        waited = self.workflow.states[at.state].waits_on
        far = next((cover.clock for cover in covers if cover.fresh), None)
        if covers:
            name, about = ("distant-date", far) if far else ("spent-clock", covers[0].clock)
        elif waited:
            name, about = "waits-for-nobody", "、".join(waited)
        elif at.paused:
            name, about = "paused-silence", "、".join(sorted(at.paused))
        else:
            name, about = "silent-state", ""
        chinese, english = SILENCES[name]
        self._say(
            ("states", at.state),
            name,
            at.state,
            f"{self._way(at)}：{chinese.format(about)}",
            f"{self._steps(at)}: {english.format(about)}",
        )

    def _heard(self, at: Configuration, cover: Cover) -> None:
        """Every rung reaches somebody, and some rung somebody above and outside, come what may."""
        ladder = cover.ladder or ""
        for scene in self.listening.scenes():
            barred = self.roster.shut_out(scene.subject)
            for number, rung in enumerate(self.listening.rungs(ladder), 1):
                told = self.listening.hear(rung, at.state, scene, barred)
                for accused in _alone(told):
                    if not self.listening.hear(rung, at.state, scene, barred | accused):
                        self._unheard(at, cover, f"{ladder} {number}", scene, accused)
            free = self._outsiders(at, ladder, scene, barred)
            for accused in _alone(free):
                if not self._outsiders(at, ladder, scene, barred | accused):
                    self._say(
                        self._ladder_path(cover),
                        "ladder-ends-inside",
                        ladder,
                        f"{self._way(at)}：阶梯 {ladder} 只通知承办人或被督办单位自己的人"
                        f"（{_scene(scene, accused)}）；请让最后一级通知上级或单位以外的人",
                        f"{self._steps(at)}: {ladder} tells only holders or people of the unit it "
                        "watches; let its last rung tell somebody above and outside",
                    )

    def _outsiders(self, at: Configuration, ladder: str, scene: Scene, barred: People) -> People:
        holders = self.listening.holders(at.state, scene, barred)
        told = NOBODY.union(
            *(
                self.listening.hear(rung, at.state, scene, barred)
                for rung in self.listening.rungs(ladder)
            )
        )
        return frozenset(p for p in told - holders if self.roster.outside(p, scene.unit))

    def _unheard(
        self, at: Configuration, cover: Cover, rung: str, scene: Scene, accused: People
    ) -> None:
        self._say(
            self._ladder_path(cover),
            "nobody-hears",
            rung,
            f"{self._way(at)}：阶梯第 {rung} 级无人可通知（{_scene(scene, accused)}）；"
            "请在名册中补足人员，或通知更多角色",
            f"{self._steps(at)}: nobody is there to hear rung {rung}; "
            "add people to the roster or tell more roles",
        )

    def _ladder_path(self, cover: Cover) -> Path:
        if cover.ladder in self.workflow.ladders:
            return ("ladders", cover.ladder)
        return ("idle_ladder",) if cover.clock == IDLE else ("deadlines", cover.clock, "ladder")

    def _measure(self, at: Configuration, covers: Sequence[Cover]) -> None:
        for scene in self.listening.scenes():
            barred = self.roster.shut_out(scene.subject)
            waits = [
                wait for c in covers if (wait := self.listening.wait(c, at.state, scene, barred))
            ]
            if waits:
                shortest = min(waits, key=lambda wait: wait.days)
                if self.longest is None or shortest.days > self.longest.wait.days:
                    self.longest = Silence(at.state, shortest)

    def _restarted(self) -> None:
        """No one role can keep an item quiet for ever by moving it in a circle."""
        for role in self.workflow.roles:
            for circle in circles(self.graph, role):
                inside = {step.after for step in circle}
                lasting = frozenset.intersection(*(c.running for c in inside)) - {
                    clock for step in circle for clock in step.started
                }
                if not any(self._rings(clock, inside) for clock in lasting):
                    at = min(inside, key=lambda c: len(self.graph.path(c)))
                    names = list(dict.fromkeys(step.names[0] for step in circle))
                    self._say(
                        ("transitions", names[0]),
                        "restarted-for-ever",
                        f"{role} {names}",
                        f"{self._way(at)}：{role} 一再进行 {'、'.join(names)} 就能永远重新计时；"
                        "请加一个不因此重新起算的时限",
                        f"{self._steps(at)}: {role} alone can restart every clock for ever by "
                        f"{', '.join(names)}; add a deadline that these do not restart",
                    )

    def _rings(self, clock: str, places: Collection[Configuration]) -> bool:
        """Whether a clock that runs all along will be heard, or end the matter by itself."""
        if self.workflow.deadlines[clock].until is not None:
            return False  # in a hundred years, if whoever names the date says so
        ladder = self.workflow.deadlines[clock].ladder
        return bool(self.listening.rungs(ladder)) or all(
            self.listening.ends_by_itself(at, clock) for at in places
        )

    # -------------------------------------------------------------------------------- ends

    def _ends(self) -> None:
        """An end can be reached from everywhere: by the guards, then by the people there are."""
        lost = stuck(self.graph, never_sure)
        if lost:
            unsure = {s.before: doubt for s in self.graph.steps if (doubt := never_sure(s))}
            barred = unsure.keys() | self.graph.refused.keys()
            at = next((c for c in lost if c in barred), lost[-1])
            why = [*self.graph.refused.get(at, ()), *filter(None, [unsure.get(at)])]
            self._say(
                ("states", at.state),
                "no-exit",
                at.state,
                f"{self._way(at)}：条件不可能满足，走不到任何终结环节（{'；'.join(why)}）",
                f"{self._steps(at)}: no way to an end has guards that can hold together; "
                "relax a guard or let its fields be given",
            )
            return
        kin = family(self.workflow, self.workflows)
        for scene in self.listening.scenes():
            casting = Casting(self.listening, kin, scene)
            lost = stuck(self.graph, casting.obstacle, casting.four_eyes)
            if lost:
                barred = {s.before for s in self.graph.steps if casting.obstacle(s)}
                at = next((c for c in lost if c in barred), lost[-1])
                obstacles = {
                    obstacle
                    for step in self.graph.steps
                    if step.before == at and (obstacle := casting.obstacle(step))
                } or {"提出的人不能自己批准 (whoever asked cannot approve)"}
                self._say(
                    ("states", at.state),
                    "nobody-can-act",
                    at.state,
                    f"{self._way(at)}：办不到终结（{_scene(scene, NOBODY)}）：{'；'.join(sorted(obstacles))}",
                    f"{self._steps(at)}: no end can be reached with the people there are; "
                    "add people to the roster or let others act",
                )

    # ------------------------------------------------------------------------------- words

    def _way(self, at: Configuration) -> str:
        titles = [
            self.workflow.transitions[name][0].title
            for step in self.graph.path(at)
            for name in step.names
        ]
        return f"{'→'.join(titles)}→“{self.workflow.states[at.state].title}”"

    def _steps(self, at: Configuration) -> str:
        names = [name for step in self.graph.path(at) for name in step.names]
        return f"{' > '.join(names)} > {at.state}"


def _alone(people: People) -> list[People]:
    """The accusations to try: none, and the one person without whom nobody is left."""
    return [NOBODY, people] if len(people) == 1 else [NOBODY] if not people else []


def _scene(scene: Scene, accused: People) -> str:
    subject = f"，被反映单位 {scene.subject}" if scene.subject else ""
    person = f"，被反映人 {'、'.join(sorted(accused))}" if accused else ""
    return f"所属单位 {scene.unit}{subject}{person}"
