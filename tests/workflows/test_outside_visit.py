"""Outside visits: who came, what they found, and that it was put right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import GuardRefused, Invalid, NotPermitted

if TYPE_CHECKING:
    from tests.casebook import Casebook

VISIT: dict[str, Any] = {"body": "第三方评估组", "date": "2026-03-02", "window": "企业登记3号窗口"}
ISSUES = [
    {"problem": "指南与实际不符", "owner_unit": "政务服务科", "kind": "simple"},
    {"problem": "叫号机故障", "owner_unit": "BR1", "kind": "complex"},
]


def visited(book: Casebook) -> str:
    """Noticed and recorded."""
    number = book.submit("outside_visit", "reporter", data={"notice": "电话通知"}).number
    book.go(number, "visit", "reporter", **VISIT)
    return number


def test_each_issue_is_rectified_before_the_visit_is_filed(book: Casebook) -> None:
    """Two issues, two mandatory rectifications of the units named; filing waits for them."""
    number = visited(book)
    book.go(number, "list_issues", "law_hub", issues=ISSUES)
    children = book.children(number, "rectification")
    assert [(c["data"]["owner_unit"], c["data"]["kind"], c["mandatory"]) for c in children] == [
        ("SVC", "simple", True),
        ("BR1", "complex", True),
    ]
    book.refused(GuardRefused, lambda: book.go(number, "close", "law_hub"), "尚有2件")
    for child in children:
        book.go(child["number"], "cancel", "deputy", reason="重复")
    book.go(number, "close", "law_hub")
    assert book.item(number)["state"] == "closed"


def test_a_visit_without_issues_is_filed_at_once(book: Casebook) -> None:
    """Nothing found, nothing spawned."""
    number = visited(book)
    book.go(number, "none", "law_hub")
    assert book.item(number)["state"] == "closed"


@pytest.mark.parametrize(
    ("issues", "complaint"),
    [
        ([{**ISSUES[0], "owner_unit": "第九分局"}], "没有这个单位"),
        ([{**ISSUES[0], "kind": "someday"}], "应从下列各项中选择"),
        ([{**ISSUES[0], "wording": "x"}], "每条记录的列"),
        ([{"problem": "x"}], "每条记录都要填写"),
    ],
)
def test_a_wrong_issue_is_refused_where_it_is_written(
    book: Casebook, issues: list[dict[str, str]], complaint: str
) -> None:
    """A unit that is not there, a kind that is not one, a column nobody asked for."""
    number = visited(book)
    book.refused(
        Invalid, lambda: book.go(number, "list_issues", "law_hub", issues=issues), complaint
    )
    book.refused(NotPermitted, lambda: book.go(number, "list_issues", "reporter", issues=ISSUES))
