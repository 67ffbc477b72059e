"""Lists that several files choose from, written once in `rules.yaml` (词表): code -> title and law.

A field that draws its choices is read as if they were written out, so that nothing behind the reader
knows of the lists, and a change of a list is a change of every file that draws from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic import ValidationInfo

CONTEXT = "vocabularies"
"""The key of a validation's context under which the shared lists are handed in."""
CLOSED = ConfigDict(extra="forbid", frozen=True)


class Term(BaseModel):
    """One entry of a list. `law` names the articles it is anchored in."""

    model_config = CLOSED

    title: Annotated[str, Field(min_length=1, max_length=200)]
    title_en: str | None = None
    law: tuple[str, ...] = ()
    note: str | None = None


Vocabulary = dict[str, Term]


class Drawn(BaseModel):
    """Choices from shared lists: all of them or `only` these codes, and `also` some of one's own."""

    model_config = CLOSED

    sources: Annotated[
        tuple[str, ...],
        Field(alias="from", min_length=1),
        BeforeValidator(lambda told: [told] if isinstance(told, str) else told),
    ]
    only: tuple[str, ...] | None = None
    also: dict[str, str] = {}


def draw(told: Any, info: ValidationInfo) -> Any:
    """Choices as a file writes them out, or drawn from the lists in the validation's context; what
    is written first comes first.
    """
    if (
        not isinstance(told, Mapping)
        or "from" not in told
        or told.keys() - {"from", "only", "also"}
    ):
        return told
    shared: Mapping[str, Vocabulary] = (info.context or {}).get(CONTEXT, {})
    drawn = Drawn.model_validate(told)
    known: dict[str, str] = {}
    for name in drawn.sources:
        if name not in shared:
            raise _unknown("vocabulary", "词表", name, shared)
        known |= {code: term.title for code, term in shared[name].items()}
    for code in drawn.only or ():
        if code not in known:
            raise _unknown("choice", "选项", code, known)
    taken = {code: known[code] for code in known if drawn.only is None or code in drawn.only}
    own_first = next(iter(told)) == "also"
    return {**drawn.also, **taken} if own_first else {**taken, **drawn.also}


def _unknown(kind: str, word: str, name: str, among: Collection[str]) -> PydanticCustomError:
    near = get_close_matches(name, list(among), n=1)
    return PydanticCustomError(
        f"unknown-{kind}",
        "{sentence}",
        {
            "sentence": (
                f"{word} {name!r} 不存在"
                + (f"；是不是 {near[0]!r}？" if near else "；请改正名称，或先声明它")
                + f" / there is no {kind} {name!r}"
                + (f"; did you mean {near[0]!r}?" if near else "; correct the name or declare it")
            )
        },
    )
