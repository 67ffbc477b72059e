"""Every name in a workflow file names something, and something of the right kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.fieldspecs import FieldSpec
from engine.notation import BUILT_IN_ROLES, HOLDER, MONTH, NUMBER, OWN_FAMILY, UNIT
from engine.roster import CHAIN

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from engine.checking.complaints import Complaints
    from engine.consequences import Effect, Feed, Spawn, Tell, When
    from engine.definition import Deadline, Opens, Transition, Workflow
    from engine.loader import Path
    from engine.rulebook import Rulebook, Rung

GUARD_FIELDS = {
    "declared": ("declarations_signed",),
    "collective": ("minutes",),
    "both_consent": ("applicant_consents", "respondent_consents"),
    "notice_delivered": ("delivered_at",),
    "announced": ("delivered_at",),
    "represented_consent": ("others_consent",),
    "document_made": ("agreement_or_record", "document_waived"),
    "mediation_told": ("routes_told", "time_limits_told", "cost_told", "risk_told"),
    "same_questionnaire": ("template_version",),
    "voluntary": ("voluntary_notice",),
    "level_fits": ("consequence", "frequency", "level"),
    "month_named": ("month",),
    "asked_once": ("source_item", "party"),
    "one_a_month": ("month",),
    "weights_whole": ("indicator_set", "weights"),
    "voids_founded": ("indicator_set",),
    "formulas_known": ("indicator_set",),
    "scores_complete": ("indicator_set", "scores"),
}
"""The fields a guard looks at, so that somebody can satisfy it."""

GUARD_QUANTITIES = {
    "attempts_made": ("rvt.attempts", "rvt.attempt_days"),
    "two_visitors": ("rvt.home_visitors",),
}
"""The quantities of the rules a guard counts with."""

_OWN = {
    NUMBER: FieldSpec(title="编号", title_en="Number", type="item"),
    UNIT: FieldSpec(title="单位", title_en="Unit", type="unit"),
}

WINDOW_GUARDS = frozenset({"within_deadline", "lapsed"})
"""Guards that open or shut with a clock."""
DEADLINE_GUARDS = WINDOW_GUARDS | {"due_date_allowed"}
"""Guards whose argument names a deadline; of the others it names a field."""
TRANSITION_GUARDS = frozenset({"proposed_by_another", "only_once"})
"""Guards whose argument names a transition."""

_TEXT_LIKE = frozenset({"text", "long_text", "choice", "item"})


def fields_of_guard(text: str) -> tuple[str, ...]:
    """The fields the guard written ``name`` or ``name.argument`` reads."""
    name, _, argument = text.partition(".")
    if argument and name not in DEADLINE_GUARDS | TRANSITION_GUARDS:
        return (argument,)
    return GUARD_FIELDS.get(name, ())


@dataclass(frozen=True)
class Surroundings:
    """What lies beside one workflow file: the others, the law, the words, the conditions."""

    workflows: Mapping[str, Workflow]
    rulebook: Rulebook
    texts: Collection[str]
    templates: Collection[str]
    guards: Collection[str]
    fills: Mapping[str, Collection[str]]  # name -> the fields it gives

    def parents(self, name: str) -> list[Workflow]:
        """The workflows whose items begin items of this one."""
        return [
            workflow
            for workflow in self.workflows.values()
            if any(spawn.workflow == name for spawn in self.spawns(workflow))
        ]

    def spawns(self, workflow: Workflow) -> list[Spawn]:
        """Every spawn a workflow's acts and clocks may make."""
        effects = [e.spawn for _, t in workflow.moves() for e in t.effects if e.spawn]
        rungs = [r.spawn for _, ladder in self.ladders(workflow) for r in ladder if r.spawn]
        return [*effects, *rungs]

    def ladders(self, workflow: Workflow) -> list[tuple[str, tuple[Rung, ...]]]:
        """The ladders a workflow's clocks climb, its own before common ones of the same name."""
        names = [d.ladder for d in workflow.deadlines.values() if d.ladder]
        names += [workflow.idle_ladder_in(name) for name, s in workflow.states.items() if s.idle]
        known = {**self.rulebook.ladders, **workflow.ladders}
        return [(name, known[name]) for name in dict.fromkeys(names) if name in known]


def check_names(place: Complaints, workflow: Workflow, around: Surroundings) -> None:
    """Complain about every name of a workflow that names nothing, or the wrong thing."""
    _Names(place, workflow, around).check()


def check_rung(
    place: Complaints,
    path: Path,
    rung: Rung,
    roles: Collection[str],
    around: Surroundings,
) -> None:
    """Complain about a rung's unknown recipients and document."""
    place.known((*path, "tell"), "role", rung.tell, {*roles, *CHAIN, HOLDER, "public"})
    if rung.document is not None:
        place.known((*path, "document"), "template", [rung.document], around.templates)


def check_spawn(
    place: Complaints,
    path: Path,
    spawn: Spawn,
    ours: Mapping[str, FieldSpec],
    around: Surroundings,
) -> None:
    """Complain about a spawn whose child does not exist, may not begin, or refuses what it gets."""
    if not place.known(path, "workflow", [spawn.workflow], around.workflows):
        return
    child = around.workflows[spawn.workflow]
    check_carry(place, (*path, "carry"), spawn.carry, ours, child.fields)
    place.known((*path, "fixed"), "field", spawn.fixed, child.fields)
    for name, value in spawn.fixed.items():
        if name in child.fields and child.fields[name].choices:
            place.known((*path, "fixed", name), "choice", [value], child.fields[name].choices)
    records = ours.get(spawn.each or "")
    columns: Collection[str] = records.columns if records else ()
    place.known((*path, "each"), "field", columns, child.fields)
    submits = child.transitions.get("submit", ())
    _taken(place, path, {*spawn.carry, *spawn.fixed, *columns}, submits, child)
    _by_sys(place, path, child)


def _by_sys(place: Complaints, path: Path, begun: Workflow) -> None:
    """The system begins items of this kind."""
    submits = begun.transitions.get("submit", ())
    if submits and not any("sys" in submit.by for submit in submits):
        place.say(
            path,
            "spawn-not-allowed",
            f"{begun.workflow} 的 submit 不许 sys 提出；请在其 by 中加上 sys",
            f"the system may not submit {begun.workflow}; add sys to the `by` of its submit",
        )


def _taken(
    place: Complaints, path: Path, given: set[str], moves: Sequence[Transition], other: Workflow
) -> None:
    """What is carried must be asked for over there, or the whole act is refused."""
    for move in moves:
        asked = {*move.requires, *move.known, *move.optional}
        refused = [
            n for n in sorted(given - asked) if n in other.fields and not other.fields[n].derived
        ]
        if refused:
            place.say(
                path,
                "carried-in-vain",
                f"{other.workflow} 的“{move.title}”不收 {'、'.join(refused)}；"
                "请在对方的 optional 中列出，或不要带入",
                f"{other.workflow} does not take {', '.join(refused)} there; "
                "list them as `optional` over there or do not carry them",
            )


def check_carry(
    place: Complaints,
    path: Path,
    carry: Mapping[str, str],
    ours: Mapping[str, FieldSpec],
    theirs: Mapping[str, FieldSpec],
) -> None:
    """Complain about carried fields that do not exist, do not fit, or would be laid bare."""
    ours = {**_OWN, **ours}
    place.known(path, "field", carry, theirs)
    place.known(path, "field", carry.values(), ours)
    for target, source in carry.items():
        if target not in theirs or source not in ours:
            continue
        given, taken = ours[source], theirs[target]
        if given.personal and not taken.personal:
            place.say(
                (*path, target),
                "personal-carried",
                f"个人信息字段 {source!r} 不得带入非个人信息字段 {target!r}；"
                "请在对方声明 personal: true",
                f"the personal field {source!r} must not go into {target!r}, which is not "
                "personal; declare it `personal: true`",
            )
        if given.seals and taken.personal and not taken.seals:
            place.say(
                (*path, target),
                "identity-carried",
                f"身份字段 {source!r} 不得带入非身份字段 {target!r}；请在对方声明 identity: true",
                f"the identity {source!r} must not go into {target!r}, which staff may read; "
                "declare it `identity: true`",
            )
        textual = taken.type in {"text", "long_text"} and given.type in _TEXT_LIKE
        if given.type != taken.type and not textual:
            place.say(
                (*path, target),
                "wrong-field-type",
                f"字段 {source!r}（{given.type}）装不进 {target!r}（{taken.type}）；请改用同类字段",
                f"{source!r} ({given.type}) does not fit into {target!r} ({taken.type}); "
                "carry a field of the same type",
            )


class _Names:
    def __init__(self, place: Complaints, workflow: Workflow, around: Surroundings) -> None:
        self.place = place
        self.workflow = workflow
        self.around = around
        self.roles = workflow.roles.keys() | BUILT_IN_ROLES
        self.ladders = around.rulebook.ladders.keys() | workflow.ladders.keys()

    def check(self) -> None:
        place, workflow = self.place, self.workflow
        place.known(("initial",), "state", [workflow.initial], workflow.states)
        self._places()
        if workflow.opens is not None:
            self._opens(("opens",), workflow.opens)
        for name, state in workflow.states.items():
            path: Path = ("states", name)
            if state.idle is not None:
                place.known((*path, "idle"), "rule", [state.idle], self.around.rulebook.rules)
            place.known((*path, "waits_on"), "workflow", state.waits_on, self.around.workflows)
        if any(state.idle for state in workflow.states.values()):
            place.known(("idle_ladder",), "ladder", [workflow.idle_ladder], self.ladders)
        for path, _, move in place.moves(workflow):
            self._transition(path, move)
        for name, deadline in workflow.deadlines.items():
            self._deadline(("deadlines", name), deadline)
        for name, ladder in workflow.ladders.items():
            for at, rung in enumerate(ladder):
                path = ("ladders", name, at)
                check_rung(place, path, rung, self.roles, self.around)
                if rung.spawn is not None:
                    self._spawn((*path, "spawn"), rung.spawn)

    def _opens(self, path: Path, opens: Opens) -> None:
        """The system begins these items with a unit and a month, and whatever else is needed."""
        for name, kind in ((UNIT, "unit"), (MONTH, "text")):
            self._field(path, name, kind)
        fields, submits = self.workflow.fields, self.workflow.transitions.get("submit", ())
        self.place.known((*path, "data"), "field", opens.data, fields)
        for name, value in opens.data.items():
            if name in fields and fields[name].choices:
                self.place.known((*path, "data", name), "choice", [value], fields[name].choices)
        given = {UNIT, MONTH, *opens.data}
        _taken(self.place, path, given, submits, self.workflow)
        _by_sys(self.place, path, self.workflow)
        for submit in submits:
            computed = self.around.fills.get(submit.fill or "", ())
            if lacking := sorted({*submit.requires} - given - {*computed}):
                self.place.say(
                    path,
                    "opens-lacks-data",
                    f"submit 必填 {'、'.join(lacking)}；请在 data 中给出，或由 fill 计算",
                    f"submit requires {', '.join(lacking)}; give them in `data` or compute them",
                )

    def _places(self) -> None:
        workflow = self.workflow
        if workflow.subject is not None:
            self._field(("subject",), workflow.subject, "unit")
        if workflow.family is not None and workflow.family != OWN_FAMILY:
            self._field(("family",), workflow.family, "item")
        for key, name in (("field", workflow.home.field), ("or_field", workflow.home.or_field)):
            if name is not None:
                self._field(("home", key), name, "unit")
        if workflow.once is not None:
            self._field(("once", "field"), workflow.once.field, "text", "item")
            if workflow.once.apart is not None:
                self._field(("once", "apart"), workflow.once.apart, "boolean")

    def _field(self, path: Path, name: str, *types: str) -> FieldSpec | None:
        if not self.place.known(path, "field", [name], self.workflow.fields):
            return None
        spec = self.workflow.fields[name]
        if types and spec.type not in types:
            self.place.say(
                path,
                "wrong-field-type",
                f"字段 {name!r} 的类型是 {spec.type}，这里要用 {' 或 '.join(types)} 类型的字段",
                f"field {name!r} is a {spec.type}; name a field of type {' or '.join(types)}",
            )
        return spec

    def _transition(self, path: Path, move: Transition) -> None:
        place, fields = self.place, self.workflow.fields
        place.known((*path, "from"), "state", move.sources, self.workflow.states)
        place.known((*path, "to"), "state", [move.to], self.workflow.states)
        place.known((*path, "by"), "role", move.by, self.roles)
        place.known((*path, "requires"), "field", move.requires, fields)
        place.known((*path, "known"), "field", move.known, fields)
        place.known((*path, "optional"), "field", move.optional, fields)
        for at, guard in enumerate(move.guards):
            self._guard((*path, "guards", at), guard)
        if move.fill is not None:
            self._fill((*path, "fill"), move, move.fill)
        for at, effect in enumerate(move.effects):
            self._effect((*path, "effects", at), effect)

    def _guard(self, path: Path, text: str) -> None:
        name, _, argument = text.partition(".")
        if not self.place.known(path, "guard", [name], self.around.guards):
            return
        if name in DEADLINE_GUARDS:
            self.place.known(path, "deadline", [argument], self.workflow.deadlines)
        elif name in TRANSITION_GUARDS:
            self.place.known(path, "transition", [argument], self.workflow.transitions)
        else:
            self.place.known(path, "field", fields_of_guard(text), self.workflow.fields)
        wanted = GUARD_QUANTITIES.get(name, ())
        self.place.known(path, "quantity", wanted, self.around.rulebook.quantities)

    def _fill(self, path: Path, move: Transition, name: str) -> None:
        if not self.place.known(path, "fill", [name], self.around.fills):
            return
        gives = self.around.fills[name]
        self.place.known(path, "field", gives, self.workflow.fields)
        taken = {*move.requires, *move.optional}
        if vain := sorted({*gives} & {*self.workflow.fields} - taken):
            self.place.say(
                path,
                "filled-in-vain",
                f"{name} 计算 {'、'.join(vain)}，但“{move.title}”不收；请列入 requires 或 optional",
                f"{name} computes {', '.join(vain)}, which this transition does not take; "
                "list them as `requires` or `optional`",
            )

    def _effect(self, path: Path, effect: Effect) -> None:
        place = self.place
        if notify := effect.notify:
            place.known((*path, "notify"), "role", [notify.to], {*self.roles, *CHAIN, HOLDER})
            place.known((*path, "notify"), "text", [notify.text], self.around.texts)
            self._when((*path, "notify"), notify.when)
        if draft := effect.document:
            place.known((*path, "document"), "template", [draft.template], self.around.templates)
            self._when((*path, "document"), draft.when)
        if effect.spawn:
            self._spawn((*path, "spawn"), effect.spawn)
            self._when((*path, "spawn"), effect.spawn.when)
        if assign := effect.assign:
            self._field((*path, "assign"), assign.people, "person", "people")
            place.known((*path, "assign"), "role", [assign.role], self.workflow.roles)
        if effect.parent:
            self._tell((*path, "parent"), effect.parent)
        if then := effect.then:
            place.known((*path, "then"), "transition", then.ways, self.workflow.transitions)
            self._when((*path, "then"), then.when)
        if extend := effect.extend:
            self._field((*path, "extend"), extend.deadline, "text", "choice")
            self._field((*path, "extend"), extend.until, "date", "moment")
        if effect.feed:
            self._feed((*path, "feed"), effect.feed)
        if recuse := effect.recuse:
            self._field((*path, "recuse"), recuse.people, "person", "people")
            self._when((*path, "recuse"), recuse.when)

    def _feed(self, path: Path, feed: Feed) -> None:
        place = self.place
        records = self._field((*path, "each"), feed.each, "records")
        columns = records.columns if records else {}
        own = {*columns, *self.workflow.fields, NUMBER}
        place.known((*path, "carry"), "field", feed.carry.values(), own)
        named = [feed.match, *filter(None, [feed.having])]
        place.known(path, "field", named, columns)
        if not place.known(path, "workflow", [feed.workflow], self.around.workflows):
            return
        other = self.around.workflows[feed.workflow]
        place.known(path, "field", [feed.match, *feed.carry], other.fields)
        if place.known(path, "transition", [feed.transition], other.transitions):
            for theirs in other.transitions[feed.transition]:
                _taken(place, path, {*feed.carry}, [theirs], other)

    def _when(self, path: Path, when: When) -> None:
        for name, values in when.items():
            spec = self._field((*path, "when"), name, "choice", "choices", "boolean")
            if spec is None:
                continue
            among = spec.choices or ("true", "false")
            self.place.known((*path, "when", name), "choice", values, among)
            if spec.personal:
                self._decides_nothing((*path, "when", name), name)

    def _decides_nothing(self, path: Path, name: str) -> None:
        self.place.say(
            path,
            "personal-condition",
            f"个人信息字段 {name!r} 不得用作条件",
            f"the personal field {name!r} must not decide anything; use another field",
        )

    def _spawn(self, path: Path, spawn: Spawn) -> None:
        check_spawn(self.place, path, spawn, self.workflow.fields, self.around)
        if spawn.each is not None:
            self._field((*path, "each"), spawn.each, "records")

    def _tell(self, path: Path, tell: Tell) -> None:
        parents = [
            parent
            for parent in self.around.parents(self.workflow.workflow)
            if tell.transition in parent.transitions
        ]
        if not parents:
            self.place.say(
                path,
                "unknown-transition",
                f"派生本流程的各流程都没有流转 {tell.transition!r}；请改正名称",
                f"no workflow that spawns this one has a transition {tell.transition!r}; correct it",
            )
        for parent in parents:
            check_carry(
                self.place, (*path, "carry"), tell.carry, self.workflow.fields, parent.fields
            )
            _taken(self.place, path, {*tell.carry}, parent.transitions[tell.transition], parent)

    def _deadline(self, path: Path, deadline: Deadline) -> None:
        place, workflow = self.place, self.workflow
        place.known((*path, "starts"), "transition", deadline.starts, workflow.transitions)
        place.known((*path, "stops"), "transition", deadline.stops, workflow.transitions)
        place.known((*path, "paused_in"), "state", deadline.paused_in, workflow.states)
        place.known((*path, "rule"), "rule", [deadline.rule], self.around.rulebook.rules)
        if deadline.ladder is not None:
            place.known((*path, "ladder"), "ladder", [deadline.ladder], self.ladders)
        if deadline.lapses_into is not None:
            place.known(
                (*path, "lapses_into"), "transition", [deadline.lapses_into], workflow.transitions
            )
        if deadline.extension is not None:
            place.known((*path, "extension"), "role", deadline.extension.by, self.roles)
        if deadline.until is not None:
            spec = self._field((*path, "until"), deadline.until, "date")
            if spec is not None and spec.personal:
                self._decides_nothing((*path, "until"), deadline.until)
        if choice := deadline.instead:
            spec = self._field((*path, "instead", "field"), choice.field, "choice", "choices")
            if spec is not None:
                place.known((*path, "instead", "rules"), "choice", choice.rules, spec.choices)
            rules = self.around.rulebook.rules
            place.known((*path, "instead", "rules"), "rule", choice.rules.values(), rules)
