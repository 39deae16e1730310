"""What the page needs to let sequence predictors run in it."""

from typing import Any

from hudyn.tasks.sequences.module import SequenceStudy
from hudyn.tasks.views import networks


def sequence_view(study: SequenceStudy) -> dict[str, Any]:
    """The networks, the language's alphabet, and a text to read."""
    language = study.data.language
    return {
        "kind": "sequences",
        "networks": networks(study, study.module.snapshots),
        "alphabet": list(language.alphabet),
    }
