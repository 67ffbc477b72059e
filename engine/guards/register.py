"""The register of named guards, below the modules they stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.dossier import Attempt
    from engine.machine import Guard

GUARDS: dict[str, Guard] = {}


def guard(rule: Callable[[Attempt, str], str | None]) -> Callable[[Attempt, str], str | None]:
    """Register a guard under its function's name."""
    GUARDS[rule.__name__] = rule
    return rule
