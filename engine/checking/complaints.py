"""What a check needs to speak: a place in a file, a stable name, a sentence in two languages."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from engine.errors import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from engine.definition import Transition, Workflow
    from engine.loader import Document, Path

KINDS = {
    "state": "环节",
    "role": "角色",
    "field": "字段",
    "transition": "流转",
    "deadline": "时限",
    "ladder": "督办阶梯",
    "rule": "期限规定",
    "text": "通知文本",
    "template": "文书模板",
    "guard": "条件",
    "fill": "填充函数",
    "workflow": "流程",
    "choice": "选项",
    "vocabulary": "词表",
    "quantity": "数值",
}
"""What a name may name, with its Chinese word; a name that names nothing is ``unknown-<kind>``."""


class Complaints:
    """The findings about one file, in the order they were made."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.found: list[Finding] = []

    def say(self, path: Path, name: str, chinese: str, english: str) -> None:
        """Complain about the value at a path."""
        self.found.append(
            Finding(self.document.name, self.document.line(path), name, f"{chinese} / {english}")
        )

    def known(self, path: Path, kind: str, names: Iterable[str], among: Collection[str]) -> bool:
        """Complain about every name that is not among the known ones of its kind."""
        strangers = [name for name in names if name not in among]
        for name in strangers:
            near = get_close_matches(name, list(among), n=1)
            self.say(
                path,
                f"unknown-{kind}",
                f"{KINDS[kind]} {name!r} 不存在"
                + (f"；是不是 {near[0]!r}？" if near else "；请改正名称，或先声明它"),
                f"there is no {kind} {name!r}"
                + (f"; did you mean {near[0]!r}?" if near else "; correct the name or declare it"),
            )
        return not strangers

    def moves(self, workflow: Workflow) -> Iterator[tuple[Path, str, Transition]]:
        """Every variant of every transition with its path in the file."""
        data = self.document.data
        written = data.get("transitions") if isinstance(data, dict) else None
        for name, variants in workflow.transitions.items():
            alone = not (isinstance(written, dict) and isinstance(written.get(name), list))
            for at, variant in enumerate(variants):
                base: Path = ("transitions", name)
                yield (base if alone else (*base, at)), name, variant
