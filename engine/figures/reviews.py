"""Good and bad reviews (domain 9.1, K-RVW-*): a default is no rating, and a rating ruled invalid by two
people is left out and shown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.figures.figure import NO_SOURCE, Figure, Formula, Note
from engine.figures.folding import BEGAN, Sheet, ask
from engine.figures.shares import Apart, Board, Share

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.figures.folding import Scope
    from engine.people import Office
    from engine.service_items import ServiceRegister

REVIEWS = Sheet(
    "review",
    fields=(
        *("level", "is_default", "named_or_anonymous", "item_code", "window_or_channel"),
        *("rated_through", "served_at"),
    ),
    reached={"contacted_at": ("contacted",), "appealed_at": ("adjudicating",)},
)
RATING = tuple(f"K-INT-{at}" for at in range(1, 9))
"""The integrity figures that stand beside every full score of ratings."""

GOOD = "c.level IN ('very_satisfied', 'satisfied', 'fairly_satisfied')"
BAD = "c.level IN ('dissatisfied', 'very_dissatisfied')"
DEFAULT = "coalesce(c.is_default, 'false') = 'true'"
INVALID = "c.state = 'closed_invalid'"
VALID = f"{BEGAN} AND c.level IS NOT NULL AND NOT {INVALID}"
ACTIVE = f"{VALID} AND NOT {DEFAULT}"

DEFAULTS = Apart("defaults", "默认评价", "Ratings by default", f"{VALID} AND {DEFAULT}")
RULED_OUT = Apart(
    "ruled_invalid", "已认定无效", "Ruled invalid", f"{BEGAN} AND {INVALID} AND c.level IS NOT NULL"
)

BOARD = Board(
    REVIEWS,
    (
        Share(
            Formula(
                *("K-RVW-1", "好评率", "Good ratings"),
                target="100 %",
                proven_by="K-INT-1",
                beside=RATING,
            ),
            of=ACTIVE,
            hits=GOOD,
            apart=(DEFAULTS, RULED_OUT),
        ),
        Share(
            Formula(
                "K-RVW-1b", "含默认好评率", "Good ratings, defaults counted as good", beside=RATING
            ),
            of=VALID,
            hits=f"{GOOD} OR {DEFAULT}",
            apart=(RULED_OUT,),
        ),
        Share(
            Formula(
                *("K-RVW-4", "差评整改率", "Bad reviews put right"),
                target="每条差评均整改 · every bad review is fixed",
                beside=RATING,
            ),
            of=f"{ACTIVE} AND {BAD}",
            hits="c.state = 'closed'",
            apart=(
                RULED_OUT,
                Apart(
                    "open",
                    "仍在办理的差评",
                    "Bad reviews still open",
                    f"{ACTIVE} AND {BAD} AND c.state <> 'closed'",
                ),
            ),
        ),
        Share(
            Formula(
                *("K-RVW-4b", "实名差评回访率", "Named bad reviews contacted"),
                target="100 %",
                beside=RATING,
            ),
            of=f"{ACTIVE} AND {BAD} AND c.named_or_anonymous = 'named'",
            hits="c.contacted_at IS NOT NULL",
        ),
        Share(
            Formula("K-INT-1", "主动评价占比", "Ratings given of one's own accord"),
            of=VALID,
            hits=f"NOT {DEFAULT}",
        ),
        Share(
            Formula(
                "K-INT-2", "服务结束十秒内的评价占比", "Ratings within ten seconds of the service"
            ),
            of=f"{ACTIVE} AND c.served_at IS NOT NULL",
            hits="c.born_at <= c.served_at::timestamptz + interval '10 seconds'",
        ),
        Share(
            Formula("K-INT-3", "窗口自有终端评价占比", "Ratings from the window's own terminal"),
            of=f"{ACTIVE} AND c.rated_through IS NOT NULL",
            hits="c.rated_through = 'hall'",
        ),
        Share(
            Formula("K-INT-5", "评价认定无效占比", "Ratings ruled invalid"),
            of=f"{BEGAN} AND c.level IS NOT NULL AND NOT {DEFAULT}",
            hits=INVALID,
        ),
        Share(
            Formula("K-INT-6", "差评申诉改判率", "Appeals against bad ratings that won"),
            of=f"{BEGAN} AND c.appealed_at IS NOT NULL",
            hits=INVALID,
        ),
    ),
)

ENTROPY = Formula(
    "K-INT-4", "窗口评价的离散程度(熵)", "Entropy of the ratings of a window", measure="bits"
)
JUMP = Formula(
    "K-INT-7", "好评率较上期变动", "Change of the good ratings against the period before"
)
FEWEST_OF_A_WINDOW = 5
ENTROPIES = f"""
SELECT sum(w.n) AS n, sum(w.bits * w.n) / nullif(sum(w.n), 0) AS bits FROM (
  SELECT v.place, sum(v.n) AS n, -sum(v.n / v.whole * log(2, v.n / v.whole)) AS bits FROM (
    SELECT c.window_or_channel AS place, count(*)::numeric AS n,
      sum(count(*)) OVER (PARTITION BY c.window_or_channel) AS whole
    FROM c WHERE {ACTIVE} AND c.window_or_channel IS NOT NULL GROUP BY c.window_or_channel, c.level) v
  WHERE v.whole >= {FEWEST_OF_A_WINDOW} GROUP BY v.place) w
"""  # noqa: S608 - constants of this package
GOOD_BEFORE = f"SELECT count(*) AS of, count(*) FILTER (WHERE {GOOD}) AS hits FROM c WHERE {ACTIVE}"  # noqa: S608 - constants of this package


def entropy(session: Session, scope: Scope) -> list[Figure]:
    """K-INT-4: how evenly the ratings of a window spread over the five levels, weighted by their number;
    0 bits where all are the same. Windows with fewer than five ratings are left out.
    """
    (row,) = ask(session, scope, REVIEWS, ENTROPIES)
    bits = None if row["bits"] is None else float(row["bits"])
    return [ENTROPY.number(scope.stage, bits, int(row["n"] or 0))]


def jump(session: Session, scope: Scope) -> list[Figure]:
    """K-INT-7: the good ratings of the period less those of the period before, as a share."""
    stage = scope.stage
    earlier = replace(scope, stage=replace(stage, period=stage.period.before))
    (now,) = ask(session, scope, REVIEWS, GOOD_BEFORE)
    (then,) = ask(session, earlier, REVIEWS, GOOD_BEFORE)
    if not now["of"] or not then["of"]:
        return [JUMP.number(stage, None, now["of"])]
    change = now["hits"] / now["of"] - then["hits"] / then["of"]
    return [JUMP.number(stage, change, now["of"])]


ITEMS_COVERED = Formula(
    "K-RVW-3a", "政务服务事项全覆盖", "Service items that are rated", target="100 %"
)
WINDOWS_COVERED = Formula(
    "K-RVW-3b", "评价对象全覆盖", "Windows and platforms that are rated", target="100 %"
)
CHANNELS_COVERED = Formula("K-RVW-3c", "服务渠道全覆盖", "Channels that are rated", target="100 %")
CHANNELS = ("hall", "online", "mobile", "self_service", "hotline")
RATED = f"""
SELECT coalesce(array_agg(DISTINCT c.item_code), '{{}}') AS items,
  coalesce(array_agg(DISTINCT c.window_or_channel), '{{}}') AS windows,
  coalesce(array_agg(DISTINCT c.rated_through), '{{}}') AS channels
FROM c WHERE {ACTIVE}
"""  # noqa: S608 - constants of this package
BY_USE = (
    "by_use",
    "以期间内收到过主动评价为准",
    "Shown to work by a rating received in the period",
)
SAMPLE = ("sample", "事项和窗口名册为示例", "The register of items and windows is an example")


def coverage(
    session: Session, scope: Scope, office: Office, services: ServiceRegister | None
) -> list[Figure]:
    """K-RVW-3a to c: of the items, windows and channels on register, those that somebody rated in the
    period; an entry nobody used is not shown to work.
    """
    (row,) = ask(session, scope, REVIEWS, RATED)
    stage = scope.stage
    hits = len(set(CHANNELS) & set(row["channels"]))
    found = [_by_use(CHANNELS_COVERED.share(stage, hits, len(CHANNELS)))]
    for formula, name in ((ITEMS_COVERED, "items"), (WINDOWS_COVERED, "windows")):
        if services is None:
            found.append(formula.silent(stage, NO_SOURCE))
            continue
        units = {office.units[unit].code for unit in scope.units}
        places = [each for each in getattr(services, name) if each.unit in units]
        rated = [each for each in places if {each.code, each.title} & set(row[name])]
        notes = (SAMPLE,) if services.status == "sample" else ()
        found.append(_by_use(formula.share(stage, len(rated), len(places)), *notes))
    return found


def _by_use(figure: Figure, *notes: Note) -> Figure:
    return replace(figure, notes=(*figure.notes, BY_USE, *notes))
