"""The whole office as one table of comma-separated values, in and out."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Response

from api.counter import Act, Answer, Look
from api.gate import CSV
from api.office import opened, proven
from api.schemas_office import Intake
from engine.administration import rolls
from engine.administration.directory import OVERSEERS
from engine.administration.register import ADMIN, bears, not_permitted
from engine.errors import Invalid
from engine.importing import Row
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from engine.people import Actor
    from engine.sessions import Caller

router = APIRouter(tags=["office"], prefix="/office")
TABLE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            CSV: {
                "schema": {
                    "type": "string",
                    "description": ",".join(rolls.COLUMNS),
                    "examples": ["kind,code,name,under,account,unit\nunit,FOD,食品安全科,BUR,,\n"],
                }
            }
        },
    }
}


@router.post(
    "/imports", response_model=Intake, summary="Bring in a table of the office", openapi_extra=TABLE
)
def take_in(
    act: Act,
    *,
    check: Annotated[
        bool, Query(description="Only say what would be done and what is wrong.")
    ] = False,
    confirm: Annotated[
        bool, Query(description="The findings of the answer before are known.")
    ] = False,
) -> Response:
    """Units and people with their roles, in the columns of the export, as `text/csv`. All or nothing:
    with `check` every finding by its row and nothing done; without it, any finding refuses all.
    Brought in twice, the second time changes nothing; what is not in the table stays. Roles that two
    people give are proposed.
    """
    columns, rows = _read(act.request.scope["state"]["body"])
    if lacking := rolls.missing_columns(columns):
        raise Invalid([("/", f"缺少这些列 (these columns are missing): {', '.join(lacking)}")])

    def taken(session: Session, actor: Actor) -> Answer:
        register = opened(act, session, actor)
        register.demand(ADMIN)
        with session.begin_nested() as trial:
            intake = rolls.take_in(register, rows)
            if check:
                trial.rollback()
        if intake.findings and not check:
            raise Invalid([(f"/{row}/{column}", told) for row, column, told in intake.findings])
        if not check:
            proven(act, register, confirm=confirm)
        return Answer(
            {
                "done": not check,
                **{name: getattr(intake, name) for name in Intake.COUNTED},
                "findings": [finding._asdict() for finding in intake.findings],
            }
        )

    return act.answer(taken)


@router.get(
    "/export.csv",
    summary="The office as a table",
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
    response_class=Response,
)
def give_out(look: Look) -> Response:
    """Open units from the bureau down, then whoever works here, in the shape of the import; for admin
    and head. No cell is a formula.
    """

    def written(session: Session, caller: Caller) -> str:
        house = look.counter.casework.house(session)
        today = house.now.astimezone(SHANGHAI).date()
        if not bears(house.office, caller.actor, OVERSEERS, today):
            raise not_permitted(*OVERSEERS)
        text = io.StringIO()
        writer = csv.DictWriter(text, rolls.COLUMNS)
        writer.writeheader()
        writer.writerows(rolls.table(session))
        return text.getvalue()

    text = look.call(written, fresh=True)
    # with its mark: a spreadsheet takes UTF-8 without one for something else
    return Response(text.encode("utf-8-sig"), media_type=CSV)


def _read(body: bytes) -> tuple[list[str], list[Row]]:
    """Columns and numbered rows of a body. Raises Invalid where it is no table."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid([("/", "请另存为 UTF-8 的 csv。Save the table as csv in UTF-8.")]) from None
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [name.strip() for name in next(reader, [])]
        return header, list(_numbered(reader, header))
    except csv.Error:
        raise Invalid([("/", "不是合法的 csv。This is not sound csv; save it again.")]) from None


def _numbered(reader: Iterator[list[str]], header: list[str]) -> Iterator[Row]:
    for number, cells in enumerate(reader, 2):
        if not any(cell.strip() for cell in cells):
            continue
        fault = None
        if len(cells) != len(header):
            fault = (
                f"有{len(cells)}格,应为{len(header)}格。"
                f"Holds {len(cells)} cells where there are {len(header)} columns."
            )
        elif any("\x00" in cell for cell in cells):
            fault = "含有无法保存的字符。Holds characters that cannot be stored."
        yield Row(number, {} if fault else dict(zip(header, cells, strict=True)), fault)
