"""The workflows an office runs, read and checked whole: every fault is found before a process
starts, and a released version never changes quietly.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from engine.checking.soundness import complaints
from engine.database import execute
from engine.documents import Letters
from engine.errors import DefinitionError, Finding, NotFound
from engine.loader import Document, load
from engine.machine import Beside, Bound, Fill, Guard
from engine.notation import ACTS_AT_REST, ENGINE_ACTS
from engine.policies import read_policies
from engine.reading import (
    Text,
    read_questionnaire,
    read_rulebook,
    read_services,
    read_texts,
    read_workflow,
)
from engine.service_items import ServiceRegister

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from engine.definition import Workflow
    from engine.questionnaires import Questionnaire
    from engine.rulebook import Rulebook
    from engine.vocabularies import Vocabulary

RULES, TEXTS = "rules.yaml", "texts.yaml"
QUESTIONNAIRES, SERVICES = "questionnaires", "services/register.yaml"
LEARNED = ("aside", "fill", "opens", "until", "or_field", "feed", "once", "otherwise", "confided")
"""Keys that files written before them do not know."""
OWN_TEXTS = Path(__file__).parent / TEXTS
"""What the engine itself sends. An office may word it otherwise in its own file, and no office can
forget one: a push without a text would be silence.
"""


@dataclass(frozen=True)
class Catalog:
    """Every bound workflow by (name, version), the newest of each by name, and the law beside."""

    bound: Mapping[tuple[str, int], Bound]
    current: Mapping[str, Bound]
    rulebook: Rulebook
    texts: Mapping[str, Text]
    letters: Letters
    files: Sequence[tuple[Workflow, Document]]  # of the workflows in force, for the proof
    beside: Beside

    @cached_property
    def awaited(self) -> frozenset[str]:
        """The workflows whose items some parent waits for, to be moved on by the system then."""
        waiting = (b.workflow for b in self.bound.values() if b.workflow.released)
        effects = (e.spawn for workflow in waiting for _, t in workflow.moves() for e in t.effects)
        return frozenset(spawn.workflow for spawn in effects if spawn and spawn.mandatory)

    def of(self, workflow: str, version: int) -> Bound:
        """The machine an item was born under."""
        return self.bound[workflow, version]

    def named(self, workflow: str) -> Bound:
        """The newest version of a workflow. Raises NotFound."""
        try:
            return self.current[workflow]
        except KeyError:
            raise NotFound(
                "没有这个流程,请核对名称。There is no such workflow; check its name."
            ) from None

    def questionnaire(self, code: str, version: int | None = None) -> Questionnaire:
        """A questionnaire by its code, the newest version unless one is named. Raises NotFound."""
        found = [
            each
            for each in self.beside.questionnaires.values()
            if each.code == code and version in {None, each.version}
        ]
        if not found:
            raise NotFound(
                "没有这份问卷,请核对名称。There is no such questionnaire; check its name."
            )
        return max(found, key=lambda each: each.version)


def read_catalog(folder: Path, guards: Mapping[str, Guard], fills: Mapping[str, Fill]) -> Catalog:
    """Read a folder of workflow files with its rules, texts and letters.

    Raises DefinitionError with every finding of every file at once.
    """
    findings: list[Finding] = []
    workflows: list[tuple[Workflow, Document]] = []
    retired: list[Workflow] = []
    rulebook: tuple[Rulebook, Document] | None = None
    texts = read_texts(load(OWN_TEXTS))
    shared: Mapping[str, Vocabulary] = {}
    paths = [*sorted(folder.glob("*.yaml")), *sorted((folder / "retired").glob("*.yaml"))]
    paths.sort(key=lambda path: path.name != RULES)  # the others choose from its lists
    for path in paths:
        try:
            document = load(path)
            if path.name == RULES:
                rulebook = read_rulebook(document), document
                shared = rulebook[0].vocabularies
            elif path.name == TEXTS:
                texts |= read_texts(document)
            elif path.parent.name == "retired":
                retired.append(read_workflow(document, shared))
            else:
                workflows.append((read_workflow(document, shared), document))
        except DefinitionError as error:
            findings += error.findings
    beside = Beside(
        _read_questionnaires(folder, findings),
        _read_services(folder, findings),
    )
    letters = Letters(folder / "documents")
    findings += letters.findings
    policies, misread = read_policies(folder / "policies")
    findings += misread
    if not workflows and not findings:
        findings.append(
            Finding(str(folder), 0, "no-workflow", "holds no workflow file; put one there")
        )
    if rulebook is None and not any(finding.file == RULES for finding in findings):
        findings.append(Finding(RULES, 0, "missing", "is missing; every limit is written there"))
    if rulebook is None or findings:
        raise DefinitionError(findings)
    gives = {name: fill.gives for name, fill in fills.items()}
    if found := complaints(
        workflows, rulebook[0], rulebook[1], texts, letters.names, frozenset(guards), gives
    ):
        raise DefinitionError(found)
    bound = {
        (workflow.workflow, workflow.version): Bound(
            workflow, digest(workflow), guards, fills, rulebook[0], policies, beside
        )
        for workflow in [*retired, *(workflow for workflow, _ in workflows)]
    }
    current = {
        workflow.workflow: bound[workflow.workflow, workflow.version] for workflow, _ in workflows
    }
    return Catalog(bound, current, rulebook[0], texts, letters, workflows, beside)


def _read_services(folder: Path, findings: list[Finding]) -> ServiceRegister:
    """The register of service items and windows; an empty one where the folder has none."""
    path = folder / SERVICES
    try:
        return read_services(load(path)) if path.exists() else ServiceRegister()
    except DefinitionError as error:
        findings += error.findings
        return ServiceRegister()


def _read_questionnaires(folder: Path, findings: list[Finding]) -> dict[str, Questionnaire]:
    """Every version of every questionnaire by its label; what is wrong goes to the findings."""
    found: dict[str, Questionnaire] = {}
    taken: set[tuple[str, int]] = set()
    for path in sorted((folder / QUESTIONNAIRES).glob("*.yaml")):
        try:
            one = read_questionnaire(load(path))
        except DefinitionError as error:
            findings += error.findings
            continue
        if (one.code, one.version) in taken:
            sentence = f"{one.code} 第{one.version}版另有一份文件；请改 version / version"
            sentence += f" {one.version} of {one.code} stands in another file; raise `version`"
            findings.append(Finding(path.name, 1, "version-taken", sentence))
        taken.add((one.code, one.version))
        found[one.label] = one
    return found


def digest(workflow: Workflow) -> bytes:
    """SHA-256 over what an item's path depends on; titles and texts may change freely.

    A word the grammar learned later counts where it is used, so that no file changes by not using it.
    """
    kept = workflow.model_dump(mode="json", by_alias=True)
    _drop_titles(kept)
    return hashlib.sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).digest()


def _drop_titles(value: object) -> None:
    if isinstance(value, dict):
        for key in ("title", "title_en"):
            value.pop(key, None)
        for key in LEARNED:
            if key in value and not value[key]:
                del value[key]
        for each in value.values():
            _drop_titles(each)
    elif isinstance(value, list):
        for each in value:
            _drop_titles(each)


def install(session: Session, catalog: Catalog) -> None:
    """Write the released versions and their edges, once.

    Raises DefinitionError where a released version was changed: raise `version` and move the old
    file to `retired/`.
    """
    kept = {
        (row["workflow"], row["version"]): bytes(row["digest"])
        for row in execute(session, "SELECT workflow, version, digest FROM workflow_version")
    }
    findings: list[Finding] = []
    for (name, version), bound in catalog.bound.items():
        released = kept.pop((name, version), None)
        if released is None or released == bound.digest:
            _release(session, bound)
        else:
            findings.append(
                Finding(
                    f"{name}.yaml",
                    0,
                    "changed-quietly",
                    f"version {version} was released and is not the same any more; raise"
                    " `version` and keep the old file in retired/ while items follow it",
                )
            )
    for name, version in kept:
        open_items = execute(
            session,
            "SELECT 1 FROM item WHERE workflow = %s AND version = %s AND closed_at IS NULL LIMIT 1",
            (name, version),
        ).fetchone()
        if open_items:
            sentence = f"version {version} is gone, but items still follow it; put it in retired/"
            findings.append(Finding(f"{name}.yaml", 0, "version-gone", sentence))
    findings += _struck_out(session, catalog)
    findings += _unanswerable(session, catalog)
    if findings:
        raise DefinitionError(findings)


def _struck_out(session: Session, catalog: Catalog) -> list[Finding]:
    """Rules and ladders that running clocks still need: a clock keeps its rule for ever."""
    rows = execute(
        session,
        "SELECT DISTINCT i.workflow, i.version, c.rule, c.ladder FROM deadline c"
        " JOIN item i ON i.id = c.item_id WHERE c.stopped_at IS NULL",
    )
    gone: set[str] = set()
    for row in rows:
        bound = catalog.bound.get((row["workflow"], row["version"]))
        own = bound.workflow.ladders if bound else {}
        if row["rule"] not in catalog.rulebook.rules:
            gone.add(f"rule {row['rule']}")
        if row["ladder"] is not None and row["ladder"] not in {*own, *catalog.rulebook.ladders}:
            gone.add(f"ladder {row['ladder']}")
    return [
        Finding(
            RULES, 0, "rule-gone", f"{what} is gone, but running clocks still follow it; keep it"
        )
        for what in sorted(gone)
    ]


def _unanswerable(session: Session, catalog: Catalog) -> list[Finding]:
    """Versions of questionnaires that open invitations were sent with."""
    answering = [
        name
        for name, bound in catalog.current.items()
        if any(spec.type == "answers" for spec in bound.workflow.fields.values())
    ]
    rows = execute(
        session,
        "SELECT DISTINCT d.data ->> 'template_version' AS label FROM item i"
        " JOIN item_data d ON d.item_id = i.id"
        " WHERE i.workflow = ANY(%s) AND i.closed_at IS NULL",
        (answering,),
    )
    gone = {
        str(row["label"]) for row in rows if row["label"]
    } - catalog.beside.questionnaires.keys()
    return [
        Finding(
            f"{QUESTIONNAIRES}/",
            0,
            "questionnaire-gone",
            f"{label} was sent out and is not there any more, or not the same; put the file back as"
            " it was and save a new version beside it",
        )
        for label in sorted(gone)
    ]


def _release(session: Session, bound: Bound) -> None:
    """Write a version and its edges where they are missing: a newer engine knows acts of its own
    that the one which released the version did not.
    """
    workflow = bound.workflow
    execute(
        session,
        "INSERT INTO workflow_version VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (workflow.workflow, workflow.version, bound.digest),
    )
    edges = {("submit", "", workflow.initial)}
    for name, transition in workflow.moves():
        edges |= {(name, source, transition.to) for source in transition.sources}
    for state, spec in workflow.states.items():
        own = ACTS_AT_REST if spec.final else ENGINE_ACTS
        edges |= {(act, state, state) for act in own}
    acts, sources, targets = (list(column) for column in zip(*sorted(edges), strict=True))
    execute(
        session,
        "INSERT INTO edge SELECT %s, %s, e.act, e.source, e.target"
        " FROM unnest(%s::text[], %s::text[], %s::text[]) AS e(act, source, target)"
        " ON CONFLICT DO NOTHING",
        (workflow.workflow, workflow.version, acts, sources, targets),
    )
    watched = [
        (role, sealed) for sealed in (False, True) for role in workflow.watchers(sealed=sealed)
    ]
    execute(
        session,
        "WITH gone AS (DELETE FROM watch WHERE workflow = %(workflow)s AND version = %(version)s"
        " AND (role, sealed) NOT IN (SELECT * FROM unnest(%(roles)s::text[], %(sealed)s::bool[])))"
        " INSERT INTO watch SELECT %(workflow)s, %(version)s, w.role, w.sealed"
        " FROM unnest(%(roles)s::text[], %(sealed)s::bool[]) AS w(role, sealed)"
        " ON CONFLICT DO NOTHING",
        {
            "workflow": workflow.workflow,
            "version": workflow.version,
            "roles": [role for role, _ in watched],
            "sealed": [sealed for _, sealed in watched],
        },
    )
