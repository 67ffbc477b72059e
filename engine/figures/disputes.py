"""Mediation and telling-and-guiding (domain 9.1, K-MED-*)."""

from __future__ import annotations

from engine.figures.figure import Formula
from engine.figures.folding import BEGAN, ENDED, Sheet
from engine.figures.shares import Apart, Board, Share

MEDIATIONS = Sheet(
    "mediation",
    fields=("ground_item", "ground"),
    reached={
        "agreed_at": ("agreed",),
        "terminated_at": ("terminating",),
    },
)
CLOSED = f"c.state = 'closed' AND {ENDED}"
AGREED = "c.agreed_at IS NOT NULL"

MEDIATION_BOARD = Board(
    MEDIATIONS,
    (
        Share(
            Formula("K-MED-2", "调解成功率", "Mediations that agreed"),
            of=f"{CLOSED} AND ({AGREED} OR c.terminated_at IS NOT NULL)",
            hits=AGREED,
            apart=(
                Apart(
                    "elsewhere",
                    "不予受理、转送的",
                    "Not accepted or transferred",
                    f"c.state IN ('not_accepted', 'transferred_out') AND {ENDED}",
                ),
            ),
        ),
    ),
)

GUIDANCE = Sheet("guidance", reached={"informed_at": ("informed",)})
GUIDANCE_BOARD = Board(
    GUIDANCE,
    (
        Share(
            Formula("K-MED-3", "告知引导率", "Disputes whose parties were told the routes"),
            of=BEGAN,
            hits="c.informed_at IS NOT NULL",
        ),
    ),
)
