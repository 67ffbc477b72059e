"""Ways to break the real files or the office, each with the name under which it must be refused.

An edit is (file, path of keys joined by slashes, new value); DROP removes, a function changes what is
there. The ten silences are those by which items vanish in comparable systems.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.catalog import OWN_TEXTS
from engine.checking.proof import prove_all
from engine.checking.soundness import complaints
from engine.errors import DefinitionError, Finding
from engine.fills import FILLS
from engine.guards import GUARDS
from engine.loader import Document, load
from engine.reading import read_rulebook, read_texts, read_workflow
from engine.roster import CHAIN, Roster
from tests.workflows.sample import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = Path(__file__).parents[2] / "workflows"
DROP = object()
GIVES = {name: fill.gives for name, fill in FILLS.items()}


@dataclass(frozen=True)
class Mutant:
    """One way to go wrong, and the finding it must raise."""

    name: str
    expected: str
    edits: tuple[tuple[str, str, Any], ...] = ()
    roster: Callable[[Roster], Roster] | None = None
    templates_lost: frozenset[str] = frozenset()


def real_files() -> dict[str, Document]:
    """Every YAML file of the office, by its name without the ending."""
    return {path.stem: load(path) for path in sorted(FOLDER.glob("*.yaml"))}


def findings(
    files: Mapping[str, Document], roster: Roster = SAMPLE, lost: frozenset[str] = frozenset()
) -> list[Finding]:
    """What reading, checking and proving these files in this office finds, in that order."""
    templates = {path.stem for path in (FOLDER / "documents").glob("*.txt")} - lost
    found: list[Finding] = []
    workflows = []
    try:
        shared = read_rulebook(files["rules"]).vocabularies
    except DefinitionError:
        shared = {}
    for name, document in files.items():
        try:
            if name == "rules":
                rulebook = read_rulebook(document)
            elif name == "texts":
                texts = {**read_texts(load(OWN_TEXTS)), **read_texts(document)}
            else:
                workflows.append((read_workflow(document, shared), document))
        except DefinitionError as error:
            found += error.findings
    if found:
        return found
    unsound = complaints(workflows, rulebook, files["rules"], texts, templates, GUARDS, GIVES)
    if unsound:
        return unsound
    return [f for proof in prove_all(workflows, rulebook, roster) for f in proof.findings]


def mutate(files: Mapping[str, Document], mutant: Mutant) -> dict[str, Document]:
    """The files after the edits of a mutant; KeyError where an edit names nothing."""
    data = {name: copy.deepcopy(document.data) for name, document in files.items()}
    for file, path, value in mutant.edits:
        edit(data[file], path.split("/"), value)
    return {name: replace(files[name], data=changed) for name, changed in data.items()}


def edit(inside: Any, keys: list[str], value: Any) -> None:
    """Change one value in parsed data."""
    if keys == [""]:
        changed = value(inside)
        inside.clear()
        inside.update(changed)
        return
    for key in keys[:-1]:
        inside = inside[int(key)] if isinstance(inside, list) else inside[key]
    last: Any = int(keys[-1]) if isinstance(inside, list) else keys[-1]
    if value is DROP:
        del inside[last]
    elif callable(value):
        inside[last] = value(inside[last])
    else:
        inside[last] = value


def renamed(old: str, new: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A mapping with one key renamed in place."""

    def change(inside: dict[str, Any]) -> dict[str, Any]:
        assert old in inside
        return {new if key == old else key: value for key, value in inside.items()}

    return change


def less(*values: str) -> Callable[[list[str]], list[str]]:
    """A list without some of its values."""

    def change(inside: list[str]) -> list[str]:
        assert {*values} <= {*inside}
        return [value for value in inside if value not in values]

    return change


def more(*values: Any) -> Callable[[list[Any]], list[Any]]:
    """A list with more values."""
    return lambda inside: [*inside, *values]


def less_then(effects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Effects without what the system does next."""
    kept = [effect for effect in effects if "then" not in effect]
    assert len(kept) < len(effects)
    return kept


def telling(*roles: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """A ladder that does nothing but tell these."""
    return lambda ladder: [
        {key: value for key, value in rung.items() if key not in {"spawn", "document"}}
        | {"tell": [*roles]}
        for rung in ladder
    ]


def emptied(*roles: str) -> Callable[[Roster], Roster]:
    """The office with nobody in these roles."""
    return lambda roster: replace(
        roster, memberships=frozenset(m for m in roster.memberships if m[1] not in roles)
    )


def narrowed(role: str, *people: str) -> Callable[[Roster], Roster]:
    """The office with only these people in a role."""
    return lambda roster: replace(
        roster,
        memberships=frozenset(m for m in roster.memberships if m[1] != role or m[0] in people),
    )


def all_away(roster: Roster) -> Roster:
    """Everybody on leave, nobody standing in."""
    return replace(roster, away=dict.fromkeys(roster.people))


def certified(*people: str) -> Callable[[Roster], Roster]:
    """Certificates for these people only."""
    return lambda roster: replace(roster, certified=frozenset(people))


def without_unit(code: str) -> Callable[[Roster], Roster]:
    """The office without one of its units; its people move up."""
    return lambda roster: replace(
        roster,
        units={unit: above for unit, above in roster.units.items() if unit != code},
        people={p: "BUR" if home == code else home for p, home in roster.people.items()},
    )


def parked(state: str, source: str, back: str) -> tuple[tuple[str, str, Any], ...]:
    """A waiting state without a clock, reached from one state and left to another."""
    titles = {"title": "等待外部意见", "title_en": "Waiting"}
    return (
        ("grievance", f"states/{state}", titles),
        (
            "grievance",
            f"transitions/into_{state}",
            {**titles, "from": [source], "to": state, "by": ["handler"]},
        ),
        (
            "grievance",
            f"transitions/out_of_{state}",
            {**titles, "from": [state], "to": back, "by": ["handler"]},
        ),
    )


GRV, MIS, REF, MED = "grievance", "misconduct", "referral", "mediation"
REC, RVT, RVC, EXT = "rectification", "revisit", "revisit_campaign", "extension"
OUTSIDE = ("head", "party_group", "liaison", "discipline")
TITLES = {"title": "试", "title_en": "Trial"}

TEN_SILENCES = (
    Mutant(
        "DIGIT: a state whose limit is null never escalates",
        "malformed",
        (("rules", "rules/idle.approval/0/within", ""),),
    ),
    Mutant(
        "Zammad: an item matching no term has no escalation at all",
        "clock-without-ladder",
        ((REC, "deadlines/rectify/ladder", DROP),),
    ),
    Mutant(
        "Viewflow: a timer whose node was renamed is skipped for ever",
        "unknown-transition",
        ((REC, "transitions", renamed("verify", "inspect")),),
    ),
    Mutant(
        "RuoYi: a task without anybody assigned makes the reminder fail",
        "nobody-hears",
        roster=emptied(*CHAIN),
    ),
    Mutant(
        "GlobaLeaks: a notice that cannot be built is lost",
        "unknown-text",
        (("texts", "", renamed("receipt", "reciept")),),
    ),
    Mutant(
        "Signals: on hold nothing runs",
        "paused-silence",
        ((MED, "states/paused_test/idle", DROP),),
    ),
    Mutant(
        "HOCS: a suspended item is due on the last day of the calendar",
        "absurd-span",
        (("rules", "rules/stall.suspension/0/within", "9999 days"),),
    ),
    Mutant(
        "Flowable: a suspension parks the timers and nothing wakes them",
        "no-exit",
        ((MIS, "transitions/resume/by", ["sys"]),),
    ),
    Mutant(
        "DBOS: a run parked at a gate never resumes",
        "no-exit",
        ((REC, "transitions/close/optional", DROP),),
    ),
    Mutant(
        "openclaw: decided to notify, no destination configured",
        "nobody-hears",
        (("rules", "ladders/idle", telling("public")),),
    ),
)

CLOCKS = (
    Mutant("law review idle", "spent-clock", ((GRV, "states/law_review/idle", DROP),)),
    Mutant("suspension idle", "paused-silence", ((GRV, "states/suspended/idle", DROP),)),
    Mutant("supplement idle", "spent-clock", ((GRV, "states/supplementing/idle", DROP),)),
    Mutant("objection idle", "silent-state", ((GRV, "states/replied/idle", DROP),)),
    Mutant("misconduct pause idle", "paused-silence", ((MIS, "states/suspended/idle", DROP),)),
    Mutant("referral draft idle", "spent-clock", ((REF, "states/drafting/idle", DROP),)),
    Mutant("verified idle", "silent-state", ((REC, "states/verified/idle", DROP),)),
    Mutant("opened idle", "silent-state", ((REC, "states/opened/idle", DROP),)),
    Mutant("analysed idle", "silent-state", ((RVT, "states/analysed/idle", DROP),)),
    Mutant("interviewed idle", "silent-state", ((RVT, "states/interviewed/idle", DROP),)),
    Mutant("summarised idle", "silent-state", ((RVC, "states/summarised/idle", DROP),)),
    Mutant("recusal idle", "paused-silence", ((MED, "states/paused_recusal/idle", DROP),)),
    Mutant("scheduled idle", "spent-clock", ((MED, "states/scheduled/idle", DROP),)),
    Mutant("reply clock without ladder", "clock-without-ladder",
           ((GRV, "deadlines/reply/ladder", DROP),)),
    Mutant("finish clock gone: attempts for ever", "restarted-for-ever",
           ((RVT, "deadlines/finish", DROP),)),
    Mutant("a waiting state on the way", "spent-clock", parked("parked", "screening", "screening")),
    Mutant("a waiting state with every clock paused", "paused-silence", (
        *parked("parked", "investigating", "investigating"),
        (GRV, "deadlines/investigate/paused_in", more("parked")),
        (GRV, "deadlines/high_risk/paused_in", ["parked"]),
    )),
    Mutant("a waiting state that stops every clock", "silent-state", (
        *parked("parked", "decided", "decided"),
        (GRV, "deadlines/reply/stops", more("into_parked")),
    )),
    Mutant("waiting on a child that need not be there", "waits-for-nobody",
           ((MIS, "deadlines/result", DROP),
            (MIS, "transitions/refer/effects/0/spawn/mandatory", "false"))),
)  # fmt: skip

LADDERS = (
    Mutant("idle tells only the holder", "ladder-ends-inside",
           (("rules", "ladders/idle", telling("holder")),)),
    Mutant("standard ends with the unit's head", "ladder-ends-inside",
           (("rules", "ladders/standard", telling("holder", "unit_head")),)),
    Mutant("misconduct tells only the handlers", "ladder-ends-inside",
           ((MIS, "ladders/misconduct", telling("holder")),)),
    Mutant("referral tells only the liaison", "ladder-ends-inside",
           ((REF, "ladders/referral", telling("liaison")),)),
    Mutant("an empty ladder", "empty-ladder", ((GRV, "ladders/high_risk", []),)),
    Mutant("the common idle ladder is gone", "unknown-ladder", (("rules", "ladders/idle", DROP),)),
    Mutant("no ladder for abuse", "unknown-ladder", (("rules", "ladders/abuse", DROP),)),
    Mutant("rungs in the wrong order", "ladder-falls",
           (("rules", "ladders/standard", lambda ladder: ladder[::-1]),)),
    Mutant("a level that falls", "ladder-falls", (("rules", "ladders/idle/2/level", "0"),)),
    Mutant("a rung that tells nobody", "malformed", (("rules", "ladders/idle/0/tell", []),)),
    Mutant("a rung at some time", "malformed", (("rules", "ladders/idle/0/at", "later"),)),
    Mutant("a rung for an unknown role", "unknown-role",
           (("rules", "ladders/idle/0/tell", ["boss"]),)),
    Mutant("a rung in two years", "absurd-span",
           (("rules", "ladders/idle/3/at", "500 working days after"),)),
    Mutant("a rung's child refuses what it is given", "carried-in-vain",
           (("rules", "ladders/idle/3/spawn/fixed/ref_id", "x"),)),
)  # fmt: skip

RULES = (
    Mutant("a term of ten years", "absurd-span",
           (("rules", "rules/grv.investigate/0/within", "3650 days"),)),
    Mutant("an extension of ten years", "absurd-span",
           (("rules", "rules/grv.investigate/0/extension", "120 months"),)),
    Mutant("a term given as a date", "malformed",
           (("rules", "rules/grv.answer/0/within", "9999-12-31"),)),
    Mutant("a rule is gone", "unknown-rule", (("rules", "rules/mis.verify", DROP),)),
    Mutant("a rule without versions", "malformed", (("rules", "rules/mis.verify", []),)),
    Mutant("ping-pong has no rule", "unknown-rule", (("rules", "rules/stall.ping_pong", DROP),)),
    Mutant("two versions on one day", "same-since",
           (("rules", "rules/med.settle/1/since", "2020-01-01"),)),
    Mutant("an extension the rule does not know", "extension-without-span",
           (("rules", "rules/mis.verify/0/extension", DROP),)),
)  # fmt: skip

NAMES = (
    Mutant("initial misspelt", "unknown-state", ((GRV, "initial", "recieved"),)),
    Mutant("destination misspelt", "unknown-state", ((GRV, "transitions/reply/to", "replyed"),)),
    Mutant("paused in a renamed state", "unknown-state",
           ((MED, "deadlines/settle/paused_in/0", "test"),)),
    Mutant("a role nobody declared", "unknown-role", ((GRV, "transitions/reply/by", ["clerk"]),)),
    Mutant("a required field nobody declared", "unknown-field",
           ((GRV, "transitions/reply/requires", ["letter"]),)),
    Mutant("an unknown guard", "unknown-guard", ((GRV, "transitions/reply/guards/0", "is_nice"),)),
    Mutant("a guard's field is gone", "unknown-field", ((GRV, "fields/delivered_at", DROP),)),
    Mutant("a guard asks for an unknown deadline", "unknown-deadline",
           ((GRV, "transitions/object/guards/0", "within_deadline.objections"),)),
    Mutant("a text is gone", "unknown-text", (("texts", "work_assigned", DROP),)),
    Mutant("a letter's template is gone", "unknown-template",
           templates_lost=frozenset({"decision_letter"})),
    Mutant("a child workflow misspelt", "unknown-workflow",
           ((GRV, "transitions/split_consumer_part/effects/0/spawn/workflow", "mediaton"),)),
    Mutant("carried from nowhere", "unknown-field",
           ((GRV, "transitions/split_consumer_part/effects/0/spawn/carry/claim", "nothing"),)),
    Mutant("the accuser's words carried into the open", "personal-carried",
           ((GRV, "transitions/open_misconduct/effects/0/spawn/carry/facts", "narrative"),)),
    Mutant("who complained, carried into what staff read", "identity-carried",
           ((GRV, "transitions/split_consumer_part/effects/0/spawn/carry/claim", "contact"),)),
    Mutant("a personal field decides", "personal-condition",
           ((GRV, "fields/matter/personal", "true"),)),
    Mutant("a condition on a choice that is none", "unknown-choice",
           ((GRV, "transitions/accept/effects/2/then/when/risk_level", ["extreme"]),)),
    Mutant("the subject is no unit", "wrong-field-type", ((GRV, "subject", "narrative"),)),
    Mutant("the family is no item", "wrong-field-type", ((RVT, "family", "party_ref"),)),
    Mutant("assigned to an unknown role", "unknown-role",
           ((GRV, "transitions/assign/effects/0/assign/role", "worker"),)),
    Mutant("a number prefix taken", "number-taken", ((MED, "number", "执诉"),)),
    Mutant("an engine's act as a name", "reserved-name",
           ((GRV, "transitions", renamed("withdraw", "note")),)),
    Mutant("another rule for an unknown choice", "unknown-choice",
           ((MED, "deadlines/settle/instead/rules/traffic", "med.settle_generic"),)),
    Mutant("the parent has no such move", "unknown-transition",
           ((REF, "transitions/feedback/effects/0/parent/transition", "outcome"),)),
)  # fmt: skip

SHAPE = (
    Mutant("the only end is open", "no-end", ((EXT, "states/granted/final", DROP),
                                             (EXT, "states/refused/final", DROP),
                                             (EXT, "states/lapsed/final", DROP))),
    Mutant("no way out of a pause", "no-way-out", ((GRV, "transitions/resume/to", "suspended"),
                                                  (GRV, "transitions/withdraw/from",
                                                   less("suspended")))),
    Mutant("left after the end", "final-left", ((GRV, "transitions/withdraw/from", more("closed")),)),
    Mutant("submit leads elsewhere", "submit-elsewhere",
           ((GRV, "transitions/submit/to", "screening"),)),
    Mutant("no beginning", "submit-missing", ((GRV, "transitions", renamed("submit", "begin")),)),
    Mutant("a transition from nowhere", "no-source", ((GRV, "transitions/reply/from", DROP),)),
    Mutant("two destinations", "two-destinations",
           ((GRV, "transitions/return/1/from", ["law_review"]),)),
    Mutant("an island", "unreachable-state", ((GRV, "states/lost", {**TITLES, "final": "true"}),)),
    Mutant("nobody may", "malformed", ((GRV, "transitions/reply/by", []),)),
    Mutant("an unknown key", "malformed", ((GRV, "states/received/clock", "none"),)),
    Mutant("the system may not close", "sys-not-allowed", ((GRV, "transitions/close/by", ["head"]),)),
    Mutant("the system may not flag", "sys-not-allowed",
           ((GRV, "transitions/flag_high_risk/by", ["head"]),)),
    Mutant("a then that cannot happen", "then-nowhere",
           ((GRV, "transitions/flag_high_risk/from", ["screening"]),)),
    Mutant("a clock that cannot stop", "clock-never-stops",
           ((GRV, "deadlines/reply/stops", ["register"]),)),
    Mutant("a pause where nothing runs", "pause-never",
           ((GRV, "deadlines/investigate/paused_in", ["supplementing"]),)),
    Mutant("a lapse that leaves nowhere", "lapse-nowhere",
           ((GRV, "deadlines/supplement/lapses_into", "close"),)),
    Mutant("items beget items", "spawn-loop",
           ((MIS, "transitions/submit/effects", more({"spawn": {"workflow": "misconduct"}})),)),
    Mutant("stalled clues beget clues", "spawn-loop", ((MIS, "idle_ladder", "idle"),)),
)  # fmt: skip

ENDS = (
    Mutant("law review passes by another name", "no-exit",
           ((GRV, "transitions", renamed("pass", "approve_review")),)),
    Mutant("the minutes cannot be given", "no-exit",
           ((MIS, "transitions/handle_internally/requires", less("minutes")),
            (MIS, "transitions/find_unfounded/requires", less("minutes")),
            (MIS, "transitions/refer/by", ["deputy", "sys"]),
            (MIS, "transitions/refer/guards", ["collective"]))),
    Mutant("the delivery cannot be recorded", "no-exit",
           ((GRV, "transitions/reply/optional", less("delivered_at")),)),
    Mutant("closing within a term that is over", "no-exit",
           ((REC, "transitions/close/guards", ["within_deadline.rectify"]),)),
    Mutant("a move of the system nothing triggers", "no-exit",
           ((REF, "transitions/acknowledge/effects", less_then),)),
    Mutant("only the head may, but may not", "no-exit",
           ((EXT, "deadlines/decide/lapses_into", DROP),
            (EXT, "deadlines/decide/ladder", "counter"),
            (EXT, "transitions/grant/guards", ["head_approved"]),
            (EXT, "transitions/refuse/guards", ["head_approved"]))),
)  # fmt: skip

OFFICES = (
    Mutant("everybody on leave", "nobody-hears", roster=all_away),
    Mutant("nobody above the units", "ladder-ends-inside", roster=emptied("deputy", *OUTSIDE)),
    Mutant("nobody outside the bureau's own line", "ladder-ends-inside",
           roster=emptied("liaison", "discipline", "party_group", "deputy")),
    Mutant("one certified handler", "nobody-can-act", roster=certified("handler1")),
    Mutant("no law reviewer", "nobody-can-act", roster=emptied("law_reviewer")),
    Mutant("the only law reviewer in the unit complained of", "nobody-can-act",
           roster=narrowed("law_reviewer", "law_reviewer")),
    Mutant("handlers only in the unit complained of", "nobody-can-act",
           roster=narrowed("handler", "handler1", "handler2")),
    Mutant("no mediator", "nobody-can-act", roster=emptied("mediator")),
    Mutant("no revisitor", "nobody-can-act", roster=emptied("revisitor")),
    Mutant("no head", "nobody-can-act", roster=emptied("head")),
    Mutant("a home unit dissolved", "unknown-unit", roster=without_unit("OFF")),
)  # fmt: skip

ALL = (*TEN_SILENCES, *CLOCKS, *LADDERS, *RULES, *NAMES, *SHAPE, *ENDS, *OFFICES)
