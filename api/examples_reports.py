"""Examples for the OpenAPI document: a month with one report."""

from __future__ import annotations

FIGURE = {
    "typed": None,
    "title": "案件回访访谈（件）",
    "query": "acts-of-unit/1",
    "parameters": '{"unit":"BR1","workflow":"revisit","acts":["interview"]}',
    "value": 12,
    "of": None,
}
MISSING = {
    "number": "月报2026-0123456789",
    "unit": "BR2",
    "unit_name": "第二分局",
    "state": "collecting",
    "state_title": "归集",
}
ITEM = {
    "measure_id": "M1.2",
    "measure_title": "做好案件回访",
    "action": "电话回访办结案件",
    "result": "当事人均表示满意",
    "figures": [FIGURE],
    "evidence_ids": ["回访台账9月"],
    "problems": "",
    "next_month": "继续回访",
}
REPORT = {
    **MISSING,
    "unit": "BR1",
    "unit_name": "第一分局",
    "state": "archived",
    "state_title": "归档",
    "submitted_at": "2026-09-27T16:00:00+08:00",
    "submitted_late": False,
    "data_snapshot_id": "6f1d2c3b4a596877",
    "figures_until": "2026-09-26T00:00:00+08:00",
    "items": [ITEM],
}
SUPERVISED = {"unit": "BR2", "unit_name": "第二分局", "count": 2}
CONSOLIDATED = {
    "month": "2026-09",
    "reports_due_on": "2026-09-28",
    "consolidated_by": "2026-10-08",
    "reports": [REPORT],
    "missing": [MISSING],
    "supervised": [SUPERVISED],
    "title": "许昌市市场监督管理局2026-09工作情况汇总",
    "letter": "已报送1个单位，未报送1个单位。",
    "circular": "2026-09督办情况通报\n逾期未报送：第二分局",
}

ANSWERS = {
    "Consolidated": CONSOLIDATED,
    "UnitReport": REPORT,
    "MissingReport": MISSING,
    "ReportItem": ITEM,
    "SupervisedUnit": SUPERVISED,
    "ReportFigure": FIGURE,
}
"""An example of each answer, by the name of its schema."""
