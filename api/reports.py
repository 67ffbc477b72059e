"""The monthly reports of all units, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Response

from api.counter import Answer, Look
from api.schemas_reports import Consolidated
from engine.consolidation import consolidate

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.people import Actor

router = APIRouter(tags=["reports"])
MONTH = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
Month = Annotated[str, Path(pattern=MONTH, description="A month.", examples=["2026-09"])]


@router.get(
    "/reports/{month}", response_model=Consolidated, summary="The monthly reports put together"
)
def show_reports(look: Look, month: Month) -> Response:
    """What every unit reported for a month, item by item, which reports are missing or came late, and
    the letter that says so. Each figure is either counted by the system, with query and parameters, or
    `typed` by hand. Reports the caller may not see are not in it.
    """

    def told(session: Session, actor: Actor) -> Answer:
        return Answer(consolidate(session, look.counter.casework, actor, month))

    return look.look(told)
