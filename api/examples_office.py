"""Examples for the OpenAPI document: how days are counted, the declared machines, clock, health."""

from __future__ import annotations

from typing import Any


def _day(date: str, why: str, *, counts: bool = False) -> dict[str, Any]:
    return {"date": date, "counts": counts, "why": why}


DUE_DATE = {
    "due_on": "2026-10-09",
    "due_at": "2026-10-10T00:00:00+08:00",
    "provisional": False,
    "working": [
        _day("2026-09-24", "起算日不计 day 0, not counted · 周四，工作日 workday"),
        *(_day(f"2026-09-{day}", "中秋节 holiday") for day in (25, 26, 27)),
        _day("2026-09-28", "第1日 no. 1 · 周一，工作日 workday", counts=True),
        _day("2026-09-29", "第2日 no. 2 · 周二，工作日 workday", counts=True),
        _day("2026-09-30", "第3日 no. 3 · 周三，工作日 workday", counts=True),
        *(_day(f"2026-10-0{day}", "国庆节 holiday") for day in range(1, 8)),
        _day("2026-10-08", "第4日 no. 4 · 周四，工作日 workday", counts=True),
        _day("2026-10-09", "第5日 no. 5 · 周五，工作日 workday", counts=True),
    ],
}
"""Five working days from 24 September 2026: the examples of the two parameters."""

CHECK = {
    "holds": True,
    "configurations": 266,
    "findings": [],
    "longest_silence": "30日 30 days",
}
MEDIATION = {
    "workflow": "mediation",
    "version": 1,
    "title": "行政调解",
    "title_en": "Administrative mediation",
}
WORKFLOWS = {
    "items": [
        {
            **MEDIATION,
            "number": "调解",
            "sealed": False,
            "states": 16,
            "transitions": 30,
            "check": CHECK,
        }
    ]
}
WORKFLOW = {
    **MEDIATION,
    "declaration": {
        **MEDIATION,
        "number": "调解",
        "initial": "applied",
        "sealed": False,
        "roles": {
            "mediator": {"title": "调解员", "title_en": "Mediator", "duty": "work"},
        },
        "states": {
            "applied": {
                "title": "已申请",
                "title_en": "Applied",
                "final": False,
                "settled": False,
                "idle": "idle.intake",
                "waits_on": [],
            },
        },
    },
    "diagram": "/api/v1/workflows/mediation/diagram.svg",
    "check": CHECK,
}

CLOCK = {"now": "2026-12-09T16:05:07+08:00", "offset": 1382400.0}
ALIVE = {"status": "alive"}
READY = {
    "status": "ready",
    "sweep": {"oldest": 0.0},
    "outbox": {"oldest": 60.0},
    "durable": True,
}

ANSWERS = {
    "DueDate": DUE_DATE,
    "Workflows": WORKFLOWS,
    "WorkflowView": WORKFLOW,
    "Clock": CLOCK,
    "Alive": ALIVE,
    "Ready": READY,
}
"""An example of each answer, by the name of its schema."""
