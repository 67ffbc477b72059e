"""The declared machines, their diagrams, and what the silence proof says of them in this office.

Open to everybody, like the law they carry: no item and no name is in them.
"""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from api.counter import Answer, Counter, Process
from api.diagrams import draw
from api.forms import WorkflowName
from api.schemas import Workflows, WorkflowView
from engine.workdays import SHANGHAI
from workflows import prove

if TYPE_CHECKING:
    from datetime import date

    from engine.catalog import Catalog
    from engine.checking.proof import Proof
    from engine.definition import Workflow
    from engine.people import Office

router = APIRouter(tags=["workflows"])


@dataclass
class Gallery:
    """What is made once and shown often: diagrams, and the proofs for the office of one day."""

    catalog: Catalog
    _drawn: dict[str, bytes] = field(default_factory=dict)
    _proofs: tuple[tuple[int, date], dict[str, dict[str, Any]]] | None = None
    _lock: Lock = field(default_factory=Lock)

    def diagram(self, workflow: Workflow) -> bytes:
        """The diagram of a workflow, SVG."""
        with self._lock:
            if workflow.workflow not in self._drawn:
                self._drawn[workflow.workflow] = draw(workflow)
            return self._drawn[workflow.workflow]

    def checks(self, office: Office, today: date) -> dict[str, dict[str, Any]]:
        """What the proof says of each workflow, with the people who are there today."""
        asked = office.revision, today
        with self._lock:
            if self._proofs is None or self._proofs[0] != asked:
                proofs = prove(self.catalog, office.roster(today))
                self._proofs = asked, {p.workflow.workflow: _check(p) for p in proofs}
            return self._proofs[1]


def _check(proof: Proof) -> dict[str, Any]:
    longest = proof.longest_silence
    return {
        "holds": proof.holds,
        "configurations": proof.configurations,
        "findings": [str(finding) for finding in proof.findings],
        "longest_silence": f"{longest.wait.chinese} {longest.wait.english}" if longest else None,
    }


@router.get("/workflows", response_model=Workflows, summary="Every declared machine")
def list_workflows(counter: Process) -> Response:
    """Every workflow in force, and for each whether it is proven that no item of it can go silent
    with the people this office has today.
    """
    checks = _checks(counter)
    rows = []
    for name, bound in sorted(counter.casework.catalog.current.items()):
        workflow = bound.workflow
        rows.append(
            {
                "workflow": name,
                "version": workflow.version,
                "title": workflow.title,
                "title_en": workflow.title_en,
                "number": workflow.number,
                "sealed": workflow.sealed,
                "states": len(workflow.states),
                "transitions": len(workflow.moves()),
                "check": checks[name],
            }
        )
    return Answer({"items": rows}).response()


@router.get("/workflows/{name}", response_model=WorkflowView, summary="One declared machine")
def show_workflow(name: WorkflowName, counter: Process) -> Response:
    """A workflow as it is declared: roles, fields, states, transitions, deadlines, ladders."""
    checks = _checks(counter)
    workflow = counter.casework.catalog.named(name).workflow
    view = {
        "workflow": name,
        "version": workflow.version,
        "title": workflow.title,
        "title_en": workflow.title_en,
        "declaration": workflow.model_dump(mode="json", by_alias=True),
        "diagram": f"/api/v1/workflows/{name}/diagram.svg",
        "check": checks[name],
    }
    return Answer(view).response()


@router.get(
    "/workflows/{name}/diagram.svg",
    summary="The diagram of a machine",
    response_class=Response,
    responses={200: {"description": "SVG", "content": {"image/svg+xml": {}}}},
)
def show_diagram(name: WorkflowName, counter: Process) -> Response:
    """The states and ways of a workflow as a picture, drawn from its declaration."""
    workflow = counter.casework.catalog.named(name).workflow
    return Response(counter.gallery.diagram(workflow), media_type="image/svg+xml")


def _checks(counter: Counter) -> dict[str, dict[str, Any]]:
    """The proofs for the people of today; made outside the transaction that reads the office."""
    with counter.database.transaction() as session:
        house = counter.casework.house(session)
    return counter.gallery.checks(house.office, house.now.astimezone(SHANGHAI).date())
