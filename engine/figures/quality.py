"""Quality of handling (domain 9.2): what was told once, what was found, what came back, what was sent on."""

from __future__ import annotations

from engine.figures.figure import Formula
from engine.figures.folding import BEGAN, ENDED, Sheet
from engine.figures.shares import Apart, Board, Share

GRIEVANCES = Sheet(
    "grievance",
    fields=("disposition",),
    reached={"decided_at": ("decided",)},
    times={"lists": ("ask_supplement",)},
)
DECIDED = "c.decided_at >= %(begins)s AND c.decided_at < %(ends)s AND c.disposition IS NOT NULL"
COME_BACK = """EXISTS (
    SELECT FROM item k JOIN event o ON o.item_id = k.id AND o.seq = 1
    WHERE k.family_id = c.family_id AND k.id <> c.id AND k.workflow = 'grievance' AND o.at > c.entered_at
      AND o.at::date <= c.entered_at::date + 90 AND o.at <= %(as_of)s)"""
"""The same family has a new grievance within 90 days."""
GRIEVANCE_BOARD = Board(
    GRIEVANCES,
    (
        Share(
            Formula("K-QLT-2", "一次告知率(执法投诉)", "Told once what is missing (grievances)"),
            of=f"c.lists > 0 AND {BEGAN}",
            hits="c.lists = 1",
        ),
        Share(
            Formula("K-QLT-6", "重复投诉率", "Closed matters complained of again within 90 days"),
            of=f"c.state = 'closed' AND {ENDED}",
            hits=COME_BACK,
        ),
        Share(
            Formula("K-QLT-8", "属实率", "Grievances found true, in whole or in part"),
            of=DECIDED,
            hits="c.disposition IN ('substantiated', 'partly')",
        ),
        Share(
            Formula("K-QLT-9", "不属实率", "Grievances found untrue"),
            of=DECIDED,
            hits="c.disposition = 'not_substantiated'",
        ),
        Share(
            Formula("K-QLT-10", "查不清率", "Grievances nobody could clear up"),
            of=DECIDED,
            hits="c.disposition = 'undeterminable'",
        ),
    ),
)
SUPPLEMENTS = Sheet("mediation", times={"lists": ("ask_supplement",)})
SUPPLEMENT_BOARD = Board(
    SUPPLEMENTS,
    (
        Share(
            Formula("K-QLT-2b", "一次告知率(行政调解)", "Told once what is missing (mediations)"),
            of=f"c.lists > 0 AND {BEGAN}",
            hits="c.lists = 1",
        ),
    ),
)

FINDINGS = Sheet(
    "misconduct", reached={"refer_at": ("referring",), "dispatched_at": ("awaiting_result",)}
)
REFERRED = "c.refer_at >= %(begins)s AND c.refer_at < %(ends)s"
FINDING_BOARD = Board(
    FINDINGS,
    (
        Share(
            Formula("K-QLT-3", "线索移送及时率", "Findings referred within the limit"),
            of=REFERRED,
            hits="c.dispatched_at <= (SELECT min(d.due_at) FROM deadline d WHERE d.item_id = c.id"
            " AND d.name = 'refer' AND d.stopped_at <= %(as_of)s)",
            apart=(
                Apart(
                    "waiting",
                    "尚未发出",
                    "Not yet dispatched",
                    f"{REFERRED} AND c.dispatched_at IS NULL",
                ),
            ),
        ),
    ),
)
REFERRALS = Sheet(
    "referral",
    reached={
        "dispatched_at": ("dispatched",),
        "acknowledged_at": ("acknowledged",),
        "answered_at": ("closed",),
    },
)
DISPATCHED = "c.dispatched_at >= %(begins)s AND c.dispatched_at < %(ends)s"
REFERRAL_BOARD = Board(
    REFERRALS,
    (
        Share(
            Formula("K-QLT-4", "移送签收率", "Referrals acknowledged"),
            of=DISPATCHED,
            hits="c.acknowledged_at IS NOT NULL",
        ),
        Share(
            Formula("K-QLT-5", "移送反馈率", "Referrals answered"),
            of=DISPATCHED,
            hits="c.answered_at IS NOT NULL",
        ),
    ),
)

COUNSELLING = Sheet("counselling", fields=("follow_up_result", "served_on"))
SERVED = "c.served_on::date >= %(begins)s::date AND c.served_on::date < %(ends)s::date"
COUNSELLING_BOARD = Board(
    COUNSELLING,
    (
        Share(
            Formula(
                "K-QLT-7",
                "次生纠纷率(经疏导的决定)",
                "Decisions followed by another dispute (of those counselled)",
            ),
            of=SERVED,
            hits="c.follow_up_result = 'secondary'",
        ),
    ),
)
