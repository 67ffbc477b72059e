"""The service items and windows the office offers, and which unit answers for each (事项和窗口名册)."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, Self

from pydantic import model_validator

from engine.notation import Part, Title


class Place(Part):
    """A service item, or a window or platform, that people can rate; `unit` is a unit's code."""

    code: str
    title: Title
    title_en: Title
    unit: str


class ServiceRegister(Part):
    """What can be rated. `status` says whether the office published it or it is an example."""

    status: Literal["sample", "published"] = "sample"
    items: tuple[Place, ...] = ()
    windows: tuple[Place, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for places in (self.items, self.windows):
            codes = [place.code for place in places]
            if len(set(codes)) < len(codes):
                raise ValueError("two lines have one code; keep one of them")
        return self

    @cached_property
    def _units(self) -> dict[str, str]:
        """The unit of each window, then of each item, by code and by title."""
        return {
            word: place.unit
            for places in (self.items, self.windows)  # a window's code goes before an item's
            for place in places
            for word in (place.code, place.title)
        }

    def unit_of(self, window: str | None, item: str | None) -> str | None:
        """The unit that answers for a window or else for an item; None where neither is known."""
        for word in (window, item):
            if word is not None and (unit := self._units.get(word.strip())):
                return unit
        return None
