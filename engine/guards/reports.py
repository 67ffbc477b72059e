"""The guards of the office's own work: reports, ledgers, assessments, training, guidance, channels."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from engine import figures
from engine.guards.register import guard

if TYPE_CHECKING:
    from engine.dossier import Attempt

_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
FULL = 100


@guard
def not_in_future(attempt: Attempt, field: str) -> str | None:
    """What is said to have happened has happened: the date or moment is not ahead of now."""
    told = str(attempt.known.get(field) or "")
    is_date = len(told) == len("2026-09-24")
    ahead = told > str(attempt.dossier.today) if is_date else told and _ahead(attempt, told)
    if not ahead:
        return None
    return (
        f"所填的时间不能晚于现在({field}),请核对。The time given lies ahead ({field}); correct it."
    )


def _ahead(attempt: Attempt, moment: str) -> bool:
    return datetime.fromisoformat(moment) > attempt.dossier.now


@guard
def counted_among(attempt: Attempt, field: str) -> str | None:
    """A part is no more than the whole: no more frontline officers than attendees."""
    whole = len(attempt.known.get("attendees") or ())
    if int(attempt.known.get(field) or 0) <= whole:
        return None
    return (
        f"一线执法人员数不能多于参加人数({whole}),请核对。"
        f"There cannot be more frontline officers than attendees ({whole}); correct the number."
    )


@guard
def voluntary(attempt: Attempt, _: str) -> str | None:
    """Guidance says that it is voluntary and that refusing it has no penalty."""
    if attempt.known.get("voluntary_notice") is True:
        return None
    return (
        "行政指导书须写明自愿、不接受不受不利处理(voluntary_notice)。"
        "Guidance must say that it is voluntary and that refusing has no penalty; write that first."
    )


@guard
def level_fits(attempt: Attempt, _: str) -> str | None:
    """A risk level as the local rule grades it ([L] R48 art. 4): high where the consequence is major
    or the behaviour frequent, low where it is summary and rare, else medium.
    """
    known = attempt.known
    graded = "medium"
    if known.get("consequence") == "major" or known.get("frequency") == "frequent":
        graded = "high"
    elif known.get("consequence") == "summary" and known.get("frequency") == "rare":
        graded = "low"
    if known.get("level") == graded:
        return None
    spec = attempt.dossier.workflow.fields.get("level")
    title = spec.choices.get(graded, graded) if spec else graded
    return (
        f"按分级标准,所填后果和频次对应的等级是“{title}”({graded}),请核对。"
        f"By the grading rule this consequence and frequency make the level {graded}; correct it."
    )


@guard
def month_named(attempt: Attempt, _: str) -> str | None:
    """A month as it is written, 2026-09, that has begun: a list closed ahead of its time would leave
    out what ends until then.
    """
    month = str(attempt.known.get("month") or "")
    if not _MONTH.fullmatch(month):
        return "月份应写作 2026-09。Write the month like 2026-09."
    if month > f"{attempt.dossier.today:%Y-%m}":
        return "该月尚未开始,不能提前立项。That month has not begun; wait for it."
    return None


@guard
def one_a_month(attempt: Attempt, _: str) -> str | None:
    """One item of a kind for each unit and month."""
    dossier = attempt.dossier
    month = str(attempt.known.get("month") or "")
    if month not in dossier.months_begun:
        return None
    return (
        f"本单位{month}的这类事项已经开启,请在原件上办理。"
        f"There is one for this unit and {month} already; go on with that one."
    )


@guard
def measures_known(attempt: Attempt, field: str) -> str | None:
    """Every record names a measure the ledger holds for this unit, and each measure once."""
    named = [str(record.get("measure_id")) for record in attempt.known.get(field) or ()]
    ours = attempt.dossier.measures
    strangers = [name for name in dict.fromkeys(named) if name not in ours]
    if strangers:
        told = "、".join(f"{name}{title}" for name, title in ours.items()) or "无 none"
        return (
            f"台账中没有本单位承担的措施:{'、'.join(strangers)};本单位的措施:{told}。"
            f"The ledger holds no such measure for this unit; its measures are: {told}."
        )
    if len(named) != len(set(named)):
        return "同一措施只写一条,请合并。Each measure has one record; put them together."
    return None


@guard
def weights_whole(attempt: Attempt, _: str) -> str | None:
    """The weights are those of the indicators named, and sum to 1 exactly."""
    known = attempt.known
    indicators = [each["indicator"] for each in known.get("indicator_set") or ()]
    weights = {each["indicator"]: Decimal(each["weight"]) for each in known.get("weights") or ()}
    if sorted(indicators) != sorted(weights) or len(known.get("weights") or ()) != len(weights):
        return (
            "每个指标须有且只有一个权重,请核对指标和权重。"
            "Each indicator needs one weight and no other; compare indicators and weights."
        )
    total = sum(weights.values(), Decimal())
    if total == 1 and all(weights.values()):
        return None
    return (
        f"各项权重须大于零,合计须等于1,现为{total}。"
        f"Weights must be above nothing and sum to 1; they sum to {total}."
    )


@guard
def voids_founded(attempt: Attempt, _: str) -> str | None:
    """An indicator is voided for a proven finding only, and only one of this assessment."""
    known = attempt.known
    indicators = {each["indicator"] for each in known.get("indicator_set") or ()}
    voided = [each["indicator"] for each in known.get("voided") or ()]
    strangers = [each for each in voided if each not in indicators]
    if not strangers and len(voided) == len(set(voided)):
        return None
    return (
        "作废的指标须在本次考核的指标之内,且只写一次。"
        "Only indicators of this assessment can be voided, and each once; correct the list."
    )


@guard
def formulas_known(attempt: Attempt, _: str) -> str | None:
    """Every indicator names a formula there is, and how many cases it takes at the least; each once."""
    named = attempt.known.get("indicator_set") or ()
    known = figures.formulas()
    strangers = sorted({each["formula"] for each in named} - known.keys())
    if strangers:
        return (
            f"没有这样的公式:{'、'.join(strangers)};可用的公式:{'、'.join(sorted(known))}。"
            f"There is no such formula; those there are: {', '.join(sorted(known))}."
        )
    if len({each["indicator"] for each in named}) != len(named) or not all(
        each["floor"] for each in named
    ):
        return (
            "每个指标只写一次,样本下限至少为1。"
            "Name each indicator once, with a floor of at least 1 case."
        )
    return None


@guard
def scores_complete(attempt: Attempt, _: str) -> str | None:
    """Every indicator has one score from 0 to 100, and no other has any."""
    known = attempt.known
    indicators = sorted(each["indicator"] for each in known.get("indicator_set") or ())
    scores = known.get("scores") or ()
    if sorted(each["indicator"] for each in scores) == indicators and all(
        Decimal(each["score"]) <= FULL for each in scores
    ):
        return None
    return (
        "每个指标须有且只有一个得分,0到100分。"
        "Each indicator needs one score from 0 to 100, and no other has any."
    )
