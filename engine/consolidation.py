"""The monthly reports of all units put together (全局汇总), as the law section hands them up.

What a reader may not know of is not in it. A figure the system counted stands with its query and
parameters, so that one typed by hand is visibly another kind.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.documents import chinese_date
from engine.dossier import READ
from engine.walls import principal_of, stand_for
from engine.workdays import SHANGHAI, due, monthly

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.dossier import Dossier
    from engine.people import Actor

REPORT = "monthly_report"
LETTER, CIRCULAR = "consolidated_report", "monthly_circular"
_MOMENT = timedelta(microseconds=1)  # the due day ends at the next one's first moment
HANDED_IN = frozenset({"submitted", "accepted", "archived"})
REPORTS = f"{READ} WHERE i.workflow = %s AND d.data ->> 'month' = %s ORDER BY i.unit_id, i.id"


SUPERVISED = """
SELECT i.unit_id, count(DISTINCT i.id) AS count FROM climb k JOIN item i ON i.id = k.item_id
WHERE k.level >= 3 AND k.climbed_at >= %s AND k.climbed_at < %s AND NOT i.sealed GROUP BY 1 ORDER BY 1
"""


def consolidate(session: Session, desk: Casework, actor: Actor, month: str) -> dict[str, Any]:
    """The month's reports unit by unit, those still missing, when they were due and when this is, and
    how many items of each unit came under supervision; with the letter and the circular (通报) that
    say it.
    """
    house = desk.house(session)
    stand_for(session, principal_of(actor))
    rows = execute(session, REPORTS, (REPORT, month)).fetchall()
    dossiers = [desk.dossier(session, row, None) for row in rows]
    seen = [dossier for dossier in dossiers if desk.sees(dossier, actor)]
    first = date.fromisoformat(f"{month}-01")
    rulebook = desk.catalog.rulebook
    report, put_together = (
        rulebook.rule("mrp.report", first),
        rulebook.rule("mrp.consolidate", first),
    )
    reports_due = monthly(house.calendar, first, report.day_of_month or 1, report.roll)
    by = due(house.calendar, reports_due.at - _MOMENT, put_together.within, put_together.roll)
    if by is None:
        raise AssertionError  # nothing pauses it
    begins = datetime.combine(first, time(), SHANGHAI)
    ends = datetime.combine((first + timedelta(days=31)).replace(day=1), time(), SHANGHAI)
    units = house.office.units
    told: dict[str, Any] = {
        "month": month,
        "reports_due_on": reports_due.on,
        "consolidated_by": by.on,
        "reports": [_report(dossier) for dossier in seen if dossier.state in HANDED_IN],
        "missing": [_unit(dossier) for dossier in seen if dossier.state not in HANDED_IN],
        "supervised": [
            {
                "unit": units[row["unit_id"]].code,
                "unit_name": units[row["unit_id"]].name,
                "count": row["count"],
            }
            for row in execute(session, SUPERVISED, (begins, ends))
        ],
    }
    named = {
        "office": units[house.office.root].name,
        "today": chinese_date(house.now.astimezone(SHANGHAI).date()),
        "due_on": chinese_date(reports_due.on),
        "is_due": house.now >= reports_due.at,
    }
    title, body = desk.catalog.letters.compose(LETTER, **told, **named)
    heading, circular = desk.catalog.letters.compose(CIRCULAR, **told, **named)
    return {**told, "title": title, "letter": body, "circular": f"{heading}\n{circular}"}


def _unit(dossier: Dossier) -> dict[str, Any]:
    unit = dossier.office.units[dossier.unit_id]
    return {
        "number": dossier.number,
        "unit": unit.code,
        "unit_name": unit.name,
        "state": dossier.state,
        "state_title": dossier.workflow.states[dossier.state].title,
    }


def _report(dossier: Dossier) -> dict[str, Any]:
    data = dossier.data
    counted = {each["figure"]: each for each in data.get("figures", ())}
    titles = {each["measure_id"]: each["measure_title"] for each in data.get("measures", ())}
    return {
        **_unit(dossier),
        "submitted_at": data.get("submitted_at"),
        "submitted_late": data.get("submitted_late"),
        "data_snapshot_id": data.get("data_snapshot_id"),
        "figures_until": data.get("figures_until"),
        "items": [
            {
                "measure_id": item["measure_id"],
                "measure_title": titles.get(item["measure_id"], ""),
                "action": item["action"],
                "result": item["result"],
                "figures": [_figure(counted, name) for name in item.get("figures", ())],
                "evidence_ids": item.get("evidence_ids", []),
                "problems": item.get("problems", ""),
                "next_month": item.get("next_month", ""),
            }
            for item in data.get("items", ())
        ],
    }


def _figure(counted: dict[str, dict[str, Any]], told: str) -> dict[str, Any]:
    """A figure the system counted, or words somebody typed."""
    found = counted.get(told)
    if found is None:
        return dict.fromkeys(("title", "query", "parameters", "value", "of")) | {"typed": told}
    return {
        "typed": None,
        "title": found["title"],
        "query": found["query"],
        "parameters": found["parameters"],
        "value": found["value"],
        "of": found.get("of"),
    }
