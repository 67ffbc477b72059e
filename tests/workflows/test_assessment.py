"""The annual assessment: weights that are given, sum to 1 and stay; a score that hides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import GuardRefused, Invalid, NotPermitted
from tests.casebook import MONDAY, day
from tests.workflows.test_ledger import follow
from workflows import HERE

if TYPE_CHECKING:
    from tests.casebook import Casebook

YEAR: dict[str, Any] = {
    "indicator_set": [
        {"indicator": "按时报送", "formula": "K-MRP-1", "floor": 10},
        {"indicator": "好评率", "formula": "K-RVW-1", "floor": 30},
        {"indicator": "回访", "formula": "K-RVT-2", "floor": 12},
    ],
    "weights": [
        {"indicator": "按时报送", "weight": "0.5"},
        {"indicator": "好评率", "weight": "0.3"},
        {"indicator": "回访", "weight": "0.2"},
    ],
    "approved_by": "局长办公会纪要〔2026〕3号",
}
SCORES = [
    {"indicator": "按时报送", "score": "90", "sample": 12},
    {"indicator": "好评率", "score": "100", "sample": 40},
    {"indicator": "回访", "score": "80.5", "sample": 12},
]
Steps = list[tuple[str, str, dict[str, Any]]]
ASSESSED: Steps = [
    ("open_year", "law_hub", YEAR),
    ("self_assess", "branch1_head", {"scores": SCORES, "evidence": ["台账"]}),
]


def begun(book: Casebook) -> str:
    """The assessment of the first branch."""
    return book.submit("assessment", "law_hub", data={"unit": "BR1", "year": 2026}).number


def verified(book: Casebook, **given: Any) -> dict[str, Any]:
    """The data of an assessment once it is verified and scored."""
    number = begun(book)
    follow(book, number, [*ASSESSED, ("verify", "audit1", {"verification": "属实", **given})])
    assert book.item(number)["state"] == "scored"
    found: dict[str, Any] = book.item(number)["data"]
    return found


def test_a_score_is_weight_by_score(book: Casebook) -> None:
    """0.5 x 90 + 0.3 x 100 + 0.2 x 80.5, with every line of the sum and the formula's version."""
    data = verified(book)
    assert (data["total"], data["weight_counted"], data["formula_version"]) == ("91.10", "1.0", "1")
    assert [row["points"] for row in data["results"]] == ["45.00", "30.00", "16.10"]


def test_manipulation_voids_an_indicator_and_says_so(book: Casebook) -> None:
    """Not nought in silence: it counts neither for nor against, and the weight left out is shown."""
    voided = [{"indicator": "好评率", "finding": "线核2026-1", "reason": "查实代评"}]
    data = verified(book, voided=voided)
    assert (data["total"], data["weight_counted"]) == ("61.10", "0.7")
    assert [row["standing"] for row in data["results"]] == ["计入", "作废", "计入"]
    assert data["results"][1]["score"] == "100"


def test_too_few_cases_count_neither_for_nor_against(book: Casebook) -> None:
    """An indicator below its floor of cases is told as such."""
    few = [*SCORES[:1], {**SCORES[1], "sample": 29}, SCORES[2]]
    data = verified(book, scores=few)
    assert data["results"][1]["standing"] == "样本不足"
    assert data["weight_counted"] == "0.7"


def test_a_finding_without_grounds_voids_nothing(book: Casebook) -> None:
    """No proof, no reason, or no indicator of this year: refused."""
    number = begun(book)
    follow(book, number, ASSESSED)
    bare = [{"indicator": "好评率", "reason": "听说"}]
    other = [{"indicator": "别的", "finding": "线核2026-1", "reason": "查实"}]
    for voided, kind in ((bare, Invalid), (other, GuardRefused)):
        book.refused(
            kind,
            lambda v=voided: book.go(number, "verify", "audit1", verification="属实", voided=v),  # type: ignore[misc]
        )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"weights": [{**w, "weight": "0.3"} for w in YEAR["weights"]]}, "合计须等于1,现为0.9"),
        ({"weights": YEAR["weights"][:2]}, "每个指标须有且只有一个权重"),
        ({"weights": [{"indicator": "按时报送", "weight": "半"}]}, "小数"),
        ({"weights": []}, "权重"),
        ({"indicator_set": [{"indicator": "甲", "formula": "K-1", "floor": 1}]}, "没有这样的公式"),
        ({"indicator_set": [{"indicator": "甲", "formula": "K-MRP-1"}]}, "样本下限"),
        ({"approved_by": ""}, "批准依据"),
    ],
)
def test_a_year_opens_with_whole_weights_or_not_at_all(
    book: Casebook, changed: dict[str, Any], sentence: str
) -> None:
    """Weights sum to 1, each indicator names its formula and its floor; nothing is written otherwise."""
    number = begun(book)
    book.refused(
        (GuardRefused, Invalid),  # type: ignore[arg-type]
        lambda: book.go(number, "open_year", "law_hub", **(YEAR | changed)),
        sentence,
    )


def test_weights_are_frozen_and_never_shipped(book: Casebook) -> None:
    """No later act takes weights or indicators, and no file of ours holds any."""
    number = begun(book)
    book.go(number, "open_year", "law_hub", **YEAR)
    for field in ("weights", "indicator_set"):
        given = {"scores": SCORES, "evidence": ["台账"], field: YEAR[field]}
        book.refused(
            Invalid,
            lambda g=given: book.go(number, "self_assess", "branch1_head", **g),  # type: ignore[misc]
            "此处不收",
        )
    told = (HERE / "assessment.yaml").read_text("utf-8")
    assert "0." not in told.replace("2023", "")


def test_nobody_verifies_their_own_unit(book: Casebook) -> None:
    """The law section's own year is verified by somebody of another unit."""
    number = book.submit("assessment", "law_hub2", data={"unit": "LAW", "year": 2026}).number
    follow(book, number, [("open_year", "law_hub2", YEAR)])
    book.go(number, "self_assess", "law_head", scores=SCORES, evidence=["台账"])
    for account in ("law_hub", "audit2"):
        with pytest.raises(GuardRefused):
            book.go(number, "verify", account, verification="属实")
    assert book.go(number, "verify", "audit1", verification="属实").state == "verified"


def test_an_appeal_has_five_working_days_and_one_ruling(book: Casebook) -> None:
    """Within the window; the ruling may change the scores, and with them the sum; then it is final."""
    number = begun(book)
    follow(book, number, [*ASSESSED, ("verify", "audit1", {"verification": "属实"})])
    book.go(number, "publish", "deputy", MONDAY)
    assert str(book.clocks(number)["appeal"]["due_on"]) == "2026-03-09"
    with pytest.raises(GuardRefused, match="期限尚未届满"):
        book.go(number, "finalise", "head", day(4), minutes="纪要")
    book.go(number, "appeal", "branch1_head", day(4), grounds="样本漏计")
    better = [{**SCORES[0], "score": "100"}, *SCORES[1:]]
    book.go(number, "rule", "deputy", day(5), ruling="采纳", scores=better)
    assert book.item(number)["data"]["total"] == "96.10"
    with pytest.raises(GuardRefused, match="已超过"):
        book.go(number, "appeal", "branch1_head", day(6), grounds="再申诉")
    with pytest.raises(GuardRefused, match="minutes"):
        book.go(number, "finalise", "head", day(6))
    assert book.go(number, "finalise", "head", day(6), minutes="纪要").state == "final"


def test_an_appeal_after_the_window_is_too_late(book: Casebook) -> None:
    """On the sixth working day the result stands."""
    number = begun(book)
    follow(book, number, [*ASSESSED, ("verify", "audit1", {"verification": "属实"})])
    book.go(number, "publish", "deputy", MONDAY)
    with pytest.raises(GuardRefused, match="已超过"):
        book.go(number, "appeal", "branch1_head", day(8), grounds="太迟")
    with pytest.raises(NotPermitted):
        book.go(number, "finalise", "deputy", day(8), minutes="纪要")
    letters = book.rows("SELECT template, body FROM document ORDER BY id")
    assert [each["template"] for each in letters] == ["assessment_notice", "assessment_result"]
    assert "局长办公会纪要" in letters[0]["body"]
    assert "总分91.10" in letters[1]["body"]
