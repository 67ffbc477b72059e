"""The draw of a sample (抽样): which cases are looked at again, so that nobody chooses and anybody can
count it over.

A seed that was committed to before the list was closed puts the cases of every stratum in an order:
by SHA-256 over ``seed|number``. The first so many of each stratum are drawn, those that must be looked
at go before, and whoever falls out is replaced by the next of the same stratum. Nothing here reads a
clock, a database or a random number: seed and list are all it takes (``docs/revisit-draw.md``).
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BACKLOG = "backlog"
MUST, POOL = "must", "pool"
WHOLE = 100


def _percent(text: object) -> object:
    """`40%` as 40."""
    return text.removesuffix("%") if isinstance(text, str) else text


Percent = Annotated[int, BeforeValidator(_percent), Field(ge=0, le=WHOLE)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Profile(_Part):
    """How much of each stratum is drawn, and who says so."""

    source: str = Field(min_length=3)
    proposed: bool = False
    rates: dict[str, Percent] = Field(min_length=1)


class RevisitPolicy(_Part):
    """`policies/revisit.yaml`: which closed cases are drawn from, and how many of them.

    `cases` names workflows and the states in which an item of theirs counts as a closed case.
    """

    since: date
    profile: str
    most: int = Field(ge=1, le=500)
    cases: dict[str, tuple[str, ...]]
    must_include: dict[str, str]
    profiles: dict[str, Profile]

    @model_validator(mode="after")
    def _has_the_profile(self) -> RevisitPolicy:
        if self.profile not in self.profiles:
            raise ValueError(f"there is no profile {self.profile!r}; choose one of `profiles`")
        return self

    @property
    def rates(self) -> Mapping[str, int]:
        """The rates of the chosen profile, in percent."""
        return self.profiles[self.profile].rates


class Case(NamedTuple):
    """A closed case of the population. `stratum`: kind, with `.recent` or `.backlog` behind it."""

    number: str
    stratum: str
    must: bool

    def __str__(self) -> str:
        return f"{self.number} {self.stratum} {MUST if self.must else POOL}"


class Draw(NamedTuple):
    """What was drawn: the numbers in their order, and for each stratum (cases, percent, drawn)."""

    numbers: list[str]
    strata: dict[str, tuple[int, int, int]]


def seed_of(unit: str, month: str, salt: str) -> str:
    """SHA-256 over ``unit|month|salt``, as hex."""
    return hashlib.sha256(f"{unit}|{month}|{salt}".encode()).hexdigest()


def commitment_of(seed: str) -> str:
    """What is told of a seed before the list is closed: its SHA-256, as hex."""
    return hashlib.sha256(seed.encode()).hexdigest()


def written(cases: Sequence[Case]) -> str:
    """A population as it is recorded: a line a case, by number."""
    return "".join(f"{case}\n" for case in sorted(cases))


def read(population: str) -> list[Case]:
    """A recorded population. Raises ValueError where a line is none."""
    lines = (line.split(" ") for line in population.splitlines())
    return [Case(number, stratum, {MUST: True, POOL: False}[how]) for number, stratum, how in lines]


def digest_of(population: str) -> str:
    """SHA-256 over a recorded population, as hex."""
    return hashlib.sha256(population.encode()).hexdigest()


def in_order(seed: str, cases: Sequence[Case]) -> list[Case]:
    """Cases in the order of the seed."""

    def place(case: Case) -> bytes:
        return hashlib.sha256(f"{seed}|{case.number}".encode()).digest()

    return sorted(cases, key=place)


def rate_of(stratum: str, rates: Mapping[str, int]) -> int:
    """The percentage of a stratum: of the backlog its own, else of the kind with its procedure, else
    of the kind, else nothing.
    """
    kind, _, when = stratum.rpartition(".")
    if when == BACKLOG:
        return rates.get(BACKLOG, 0)
    return rates.get(kind, rates.get(kind.partition(".")[0], 0))


def draw(seed: str, cases: Sequence[Case], percents: Mapping[str, int], most: int) -> Draw:
    """The sample: what must be included first, then of each stratum (by name) the first in the order of
    the seed, a begun case counting whole; at most `most` in all. Where that is too many, what must be
    included leaves the others half: whoever flags everything chooses nothing. `percents` by stratum.
    """
    ordered = in_order(seed, cases)
    must = [case.number for case in ordered if case.must]
    drawn: list[str] = []
    strata: dict[str, tuple[int, int, int]] = {}
    for stratum in sorted({case.stratum for case in cases}):
        pool = [case for case in ordered if case.stratum == stratum and not case.must]
        percent = percents.get(stratum, 0)
        taken = -(-len(pool) * percent // WHOLE)
        strata[stratum] = (len(pool), percent, taken)
        drawn += [case.number for case in pool[:taken]]
    kept = must[: max(most - len(drawn), most // 2)]
    return Draw([*kept, *drawn][:most], strata)


def next_of(seed: str, cases: Sequence[Case], gone: str, taken: Sequence[str]) -> str | None:
    """The next case of the stratum of `gone` that was not taken yet, in the order of the seed."""
    stratum = next((case.stratum for case in cases if case.number == gone), None)
    ordered = in_order(seed, [case for case in cases if case.stratum == stratum])
    return next((case.number for case in ordered if case.number not in taken), None)


def strata_lines(strata: Mapping[str, tuple[int, int, int]]) -> list[str]:
    """Strata as they are recorded: `penalty.ordinary.recent 12 100% 12`."""
    return [f"{name} {n} {percent}% {taken}" for name, (n, percent, taken) in strata.items()]


def faults(record: Mapping[str, Any]) -> list[str]:
    """What is wrong with a recorded draw, counted over from what it says of itself; [] where nothing.

    `record` is the item's data: unit, month, salt, seed, seed_commitment, population,
    population_digest, most, strata, sample_list.
    """
    found: list[str] = []
    seed = str(record.get("seed", ""))
    if seed != seed_of(str(record["unit"]), str(record["month"]), str(record.get("salt", ""))):
        found.append(
            "种子不是单位、月份、盐值的摘要。The seed is not that of unit, month and salt."
        )
    if commitment_of(seed) != record.get("seed_commitment"):
        found.append("种子与事先承诺的不符。The seed is not the one committed to beforehand.")
    population = str(record.get("population", ""))
    if digest_of(population) != record.get("population_digest"):
        found.append("总体清单与摘要不符。The population is not the one of the digest.")
    lines = [line.split(" ") for line in record.get("strata", [])]
    percents = {name: int(percent.removesuffix("%")) for name, _, percent, _ in lines}
    again = draw(seed, read(population), percents, int(record.get("most", 0)))
    if strata_lines(again.strata) != record.get("strata", []):
        found.append("分层与总体不符。The strata are not those of the population.")
    if [row.get("case") for row in record.get("sample_list", [])] != again.numbers:
        found.append("样本与复算结果不符。The sample is not the one that comes out.")
    return found
