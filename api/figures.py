"""The figures of the office, as people may know them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime  # noqa: TC002 - read while running

from api.counter import Answer, Look
from api.forms import PLAIN, Word
from api.schemas_figures import Figures
from engine.disclosure import Disclosure, disclose

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.figures import Figure
    from engine.people import Actor

router = APIRouter(tags=["figures"])


@router.get("/figures", response_model=Figures, summary="The figures of a period")
def show_figures(
    look: Look,
    period: Annotated[
        str | None,
        Query(
            max_length=10,
            pattern=PLAIN,
            description="A month, quarter or year: 2026-09, 2026-Q3, 2026. Default: this month.",
            examples=["2026-09"],
        ),
    ] = None,
    unit: Word = None,
    as_of: Annotated[
        AwareDatetime | None,
        Query(
            description="What the journal held at this moment. Default: now.",
            examples=["2026-10-08T09:00:00+08:00"],
        ),
    ] = None,
) -> Response:
    """Every figure with numerator, denominator, what was left out, its interval of 95 % and what speaks
    against it; counted from the journal as of a moment, so that the same question has the same answer
    for ever. Of a unit with those below it; by default all the caller may ask for. What the caller may
    not know of is in no figure, and none says how much that is.
    """

    def told(session: Session, actor: Actor) -> Answer:
        found = disclose(
            session, look.counter.casework, actor, period=period, unit=unit, as_of=as_of
        )
        return Answer(_view(found))

    return look.look(told)


def _view(found: Disclosure) -> dict[str, Any]:
    return {
        "period": {
            "name": found.period.name,
            "first": found.period.first,
            "last": found.period.last,
        },
        "unit": found.unit,
        "as_of": found.as_of,
        "figures": [_line(figure) for figure in found.figures],
    }


def _line(figure: Figure) -> dict[str, Any]:
    return {
        "id": figure.id,
        "title": figure.title,
        "title_en": figure.title_en,
        "measure": figure.measure,
        "formula_version": figure.formula_version,
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "n": figure.n,
        "value": figure.value,
        "interval": list(figure.interval) if figure.interval else None,
        "target": figure.target,
        "exclusions": [_aside(out) for out in figure.exclusions],
        "cells": [
            {
                "name": c.name,
                "numerator": c.numerator,
                "denominator": c.denominator,
                "value": c.value,
            }
            for c in figure.cells
        ],
        "spreads": [
            {
                "name": s.name,
                "measure": s.measure,
                "n": s.n,
                "mean": s.mean,
                "median": s.median,
                "p90": s.p90,
                "paused": s.paused,
            }
            for s in figure.spreads
        ],
        "notes": [
            {"name": name, "text": text, "text_en": text_en} for name, text, text_en in figure.notes
        ],
        "beside": list(figure.beside),
        "query": figure.query,
    }


def _aside(out: Any) -> dict[str, Any]:
    return {"name": out.name, "title": out.title, "title_en": out.title_en, "count": out.count}
