"""Shares said as conditions: what is counted, what of it hits, and what is left out and shown beside.

All shares of one workflow are counted in one statement over its folded items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from engine.figures.figure import Aside, Figure, Formula
from engine.figures.folding import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from engine.figures.folding import Scope, Sheet


class Apart(NamedTuple):
    """What is left out of a share: name, titles, and the condition on `c`."""

    name: str
    title: str
    title_en: str
    where: str


@dataclass(frozen=True, slots=True)
class Share:
    """A figure whose numerator is part of its denominator; conditions are SQL on a folded item `c`."""

    formula: Formula
    of: str
    hits: str
    apart: tuple[Apart, ...] = ()


@dataclass(frozen=True, slots=True)
class Board:
    """The shares counted on one sheet."""

    sheet: Sheet
    shares: tuple[Share, ...]

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """What its figures are called."""
        return tuple(share.formula for share in self.shares)

    def read(self, session: Session, scope: Scope) -> list[Figure]:
        """Its figures."""
        counted = count(session, scope, self.sheet, dict(_conditions(self.shares)))
        return [
            share.formula.share(
                scope.stage,
                counted[f"hits_{at}"],
                counted[f"of_{at}"],
                [
                    Aside(out.name, out.title, out.title_en, counted[f"out_{at}_{place}"])
                    for place, out in enumerate(share.apart)
                ],
            )
            for at, share in enumerate(self.shares)
        ]


def _conditions(shares: Sequence[Share]) -> Iterator[tuple[str, str]]:
    for at, share in enumerate(shares):
        yield f"of_{at}", share.of
        yield f"hits_{at}", f"({share.of}) AND ({share.hits})"
        for place, out in enumerate(share.apart):
            yield f"out_{at}_{place}", out.where
