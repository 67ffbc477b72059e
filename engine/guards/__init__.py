"""The named guards: each says why an item may not move now, in a sentence, or lets it pass.

A guard stands in a module of this package beside its kin and registers itself with `guard`; the
module is imported here.
"""

from engine.guards import enquiries, parties, people, procedure, ratings, reports, terms
from engine.guards.people import FEWEST_HANDLERS
from engine.guards.register import GUARDS, guard

__all__ = [
    "FEWEST_HANDLERS",
    "GUARDS",
    "enquiries",
    "guard",
    "parties",
    "people",
    "procedure",
    "ratings",
    "reports",
    "terms",
]
