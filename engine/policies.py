"""The office's policies (政策): figures of its own that no clock runs on, one file each in `policies/`.

Which cases a revisit is drawn from, and how many. A policy may change from one day to the next: whatever
was decided by it keeps in its own record the figures it was decided by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from engine.draws import RevisitPolicy
from engine.errors import DefinitionError, Finding
from engine.loader import load
from engine.reading import findings_of

if TYPE_CHECKING:
    from pathlib import Path

Policies = Mapping[str, BaseModel]
"""Policies by the name of their file."""

KNOWN: Mapping[str, type[BaseModel]] = {"revisit": RevisitPolicy}


def read_policies(folder: Path) -> tuple[Policies, list[Finding]]:
    """The policies of a folder, and every finding of every file; a folder without any has none."""
    found: dict[str, BaseModel] = {}
    findings: list[Finding] = []
    for path in sorted(folder.glob("*.yaml")):
        form = KNOWN.get(path.stem)
        if form is None:
            sentence = (
                f"没有叫 {path.stem!r} 的政策；可以有：{'、'.join(KNOWN)} / "
                f"there is no policy of that name; there may be: {', '.join(KNOWN)}"
            )
            findings.append(Finding(path.name, 0, "unknown-policy", sentence))
            continue
        try:
            document = load(path)
            found[path.stem] = form.model_validate(document.data)
        except DefinitionError as error:
            findings += error.findings
        except ValidationError as error:
            findings += findings_of(document, error)
    return found, findings
