"""What the page needs to let two-layer perceptrons over the plane run in it."""

from typing import Any

from hudyn.tasks.check.module import CheckStudy
from hudyn.tasks.views import networks


def check_view(study: CheckStudy) -> dict[str, Any]:
    """The networks and the points."""
    return {
        "kind": "check",
        "networks": networks(study, study.module.snapshots),
        "points": study.data.points,
        "labels": study.data.labels,
    }
