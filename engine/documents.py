"""Official letters: text drafted from an item's data, frozen with its digest.

A template is plain text with Jinja2 placeholders; its first line is the letter's title. Values are
data: they are never read as a template. No personal field reaches a letter from here.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.errors import Finding
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine.dossier import Dossier
    from engine.fieldspecs import Column


class Letters:
    """The templates of a folder, read once."""

    def __init__(self, folder: Path) -> None:
        self._environment: Environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,  # a letter changes with a release, not under a running process
        )
        self.names = frozenset(path.stem for path in folder.glob("*.txt"))
        self.findings: list[Finding] = []
        for name in sorted(self.names):
            try:
                self._environment.get_template(f"{name}.txt")
            except TemplateError as error:
                line = getattr(error, "lineno", 0) or 0
                self.findings.append(Finding(f"{name}.txt", line, "bad-template", str(error)))

    def compose(self, name: str, **values: Any) -> tuple[str, str]:
        """The title and the body of a letter about more than one item."""
        text = self._environment.get_template(f"{name}.txt").render(**values)
        title, _, body = text.strip().partition("\n")
        return title.strip(), body.strip()

    def draft(
        self, name: str, dossier: Dossier, data: Mapping[str, Any], clock: Mapping[str, Any]
    ) -> tuple[str, str]:
        """The title and the body of a letter about an item."""
        office = dossier.office
        subject = dossier.subject_unit_id
        text = self._environment.get_template(f"{name}.txt").render(
            office=office.units[office.root].name,
            item={
                "number": dossier.number,
                "title": dossier.workflow.title,
                "received_on": chinese_date(dossier.received_at.astimezone(SHANGHAI).date()),
                "respondent": office.units[subject].name if subject else "",
                "unit": office.units[dossier.unit_id].name,
                "state": dossier.workflow.states[dossier.state].title,
            },
            data=_readable(dossier, data),
            fields=dossier.workflow.field_titles,
            choices=dossier.workflow.field_choices,
            columns=dossier.workflow.column_choices,
            deadline={**clock, "due_on": chinese(clock.get("due_on", ""))},
            today=chinese_date(dossier.today),
            document_number="",
        )
        title, _, body = text.strip().partition("\n")
        return title.strip(), body.strip()


def _readable(dossier: Dossier, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with its dates, moments and units as a letter writes them, those of records too."""
    fields = dossier.workflow.fields
    names = {unit.code: unit.name for unit in dossier.office.units.values()}

    def written(kind: str, value: Any) -> Any:
        if kind in {"date", "moment"}:
            return chinese(value)
        if kind == "unit":
            return names.get(value, value)
        if kind == "units":
            return [names.get(code, code) for code in value]
        return value

    def row(columns: Mapping[str, str | Column], cells: Mapping[str, Any]) -> dict[str, Any]:
        kinds = {key: "text" if isinstance(c, str) else c.type for key, c in columns.items()}
        return {key: written(kinds.get(key, "text"), cell) for key, cell in cells.items()}

    return {
        name: [row(spec.columns, cells) for cells in value]
        if (spec := fields[name]).type == "records"
        else written(spec.type, value)
        for name, value in data.items()
    }


def chinese(value: str) -> str:
    """A date or a moment of the data: 2026年9月24日, 2026年9月24日9时30分."""
    if not value:
        return ""
    if len(value) == len("2026-09-24"):
        return chinese_date(date.fromisoformat(value))
    at = datetime.fromisoformat(value).astimezone(SHANGHAI)
    return f"{chinese_date(at)}{at.hour}时{at.minute:02d}分"


def chinese_date(day: date) -> str:
    """2026-09-24 as 2026年9月24日 (GB/T 9704: no leading zeros)."""
    return f"{day.year}年{day.month}月{day.day}日"
