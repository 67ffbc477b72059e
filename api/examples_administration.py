"""Examples for the OpenAPI document: units, people, roles, leave, leavers, conflicts."""

from __future__ import annotations

from typing import Any

UNIT: dict[str, Any] = {
    "code": "AUD",
    "name": "执法稽查科",
    "aliases": [],
    "under": "BUR",
    "closed_on": None,
    "revision": 1,
}
PERSON = {
    "account": "handler1",
    "name": "陈志远",
    "unit": "AUD",
    "post": "执法人员",
    "post_kind": "staff",
    "roles": [{"role": "handler", "unit": "AUD"}],
    "email": "handler1@banjie.example",
    "certificate": "1641000002",
    "certified_until": "2030-12-31",
    "left_on": None,
    "revision": 1,
}
PROPOSAL = {
    "id": 1,
    "account": "party_member",
    "role": "liaison",
    "unit": "BUR",
    "granted": True,
    "proposed_by": "admin",
    "proposed_at": "2026-12-09T10:00:00+08:00",
    "decided_by": None,
    "decided_at": None,
    "confirmed": None,
}
LEAVE = {
    "id": 1,
    "account": "handler1",
    "first_on": "2026-12-01",
    "last_on": "2026-12-05",
    "substitute": "handler2",
}
CONFLICT = {
    "id": 1,
    "account": "handler2",
    "ground": "near_relative",
    "person": "branch1_head",
    "unit": None,
    "outside": None,
    "declared_on": "2026-12-09",
    "declared_by": "handler2",
    "ended_on": None,
}
EVENT = {
    "seq": 138,
    "at": "2026-12-09T02:00:00.000000Z",
    "by": "head",
    "about": "membership",
    "act": "insert",
    "before": None,
    "after": {"role": "liaison", "unit_id": 1, "person_id": 3},
    "hash": "931abb2b74430400c1d93140113007499d2e2ae4d884b5e47e9a37d7b0aa4f81",
}
FINDING = {"row": 3, "column": "certified_until", "sentence": "应为日期。Give a day."}

ANSWERS: dict[str, Any] = {
    "UnitView": UNIT,
    "Units": {"items": [UNIT], "next": None},
    "PersonView": PERSON,
    "People": {"items": [PERSON], "next": None},
    "RoleOutcome": {"done": False, "proposal": 1},
    "Proposals": {"items": [PROPOSAL], "next": None},
    "Leaves": {"items": [LEAVE], "next": None},
    "Numbered": {"id": 1},
    "Left": {
        "account": "handler1",
        "left_on": "2026-12-31",
        "done": True,
        "handed_over": 12,
        "successors": [{"account": "handler2", "items": 12}],
        "told_upward": 1,
        "unheard": 0,
        "messages": 3,
    },
    "Conflicts": {"items": [CONFLICT], "next": None},
    "OfficeEvents": {"items": [EVENT], "next": None},
    "Intake": {
        "read": 3,
        "units": 1,
        "people": 0,
        "roles": 0,
        "proposed": 0,
        "done": False,
        "findings": [FINDING],
    },
}
"""An example of each answer, by the name of its schema."""
