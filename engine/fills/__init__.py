"""What the system itself computes for an act: every function a `fill` of a workflow file may name.

A function stands in a module of this package beside its kin and registers itself with `fill`; the
module is imported here.
"""

from engine.fills import clusters, disputes, ratings, reports, revisits
from engine.fills.filling import FILLS, Filling, fill, filled

__all__ = [
    "FILLS",
    "Filling",
    "clusters",
    "disputes",
    "fill",
    "filled",
    "ratings",
    "reports",
    "revisits",
]
