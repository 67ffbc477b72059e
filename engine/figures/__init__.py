"""The figures of the office (domain 9): counted from the journal as of any moment, none without what it
rests on.
"""

from engine.figures.board import Ground, figures, figures_of, formulas
from engine.figures.figure import Figure, Stage
from engine.figures.folding import Reader, Scope, reader_of_unit
from engine.figures.periods import Period

__all__ = [
    "Figure",
    "Ground",
    "Period",
    "Reader",
    "Scope",
    "Stage",
    "figures",
    "figures_of",
    "formulas",
    "reader_of_unit",
]
