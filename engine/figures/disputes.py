"""Mediation and telling-and-guiding (domain 9.1, K-MED-*)."""

from __future__ import annotations

from engine.figures.figure import Formula
from engine.figures.folding import BEGAN, ENDED, Sheet
from engine.figures.shares import Apart, Board, Share

MEDIATIONS = Sheet(
    "mediation",
    fields=("ground_item",),
    reached={"agreed_at": ("agreed",)},
)
CLOSED = f"c.state = 'closed' AND {ENDED}"
AGREED = "c.agreed_at IS NOT NULL"
JUDGED = f"({AGREED} OR c.ground_item IS DISTINCT FROM 'withdrawn')"
"""Agreed or terminated; who withdrew or settled is neither."""

MEDIATION_BOARD = Board(
    MEDIATIONS,
    (
        Share(
            Formula("K-MED-2", "调解成功率", "Mediations that agreed"),
            of=f"{CLOSED} AND {JUDGED}",
            hits=AGREED,
            apart=(
                Apart(
                    "withdrawn",
                    "撤回或者自行和解",
                    "Withdrawn or settled between the parties",
                    f"{CLOSED} AND NOT ({JUDGED})",
                ),
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
