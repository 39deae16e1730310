"""Arguments of targets, found in their source: what Python's own inspection finds, without importing anything."""

import inspect
import subprocess
import sys
import typing
from typing import Annotated, Any, Literal

import pytest

from hudyn.arguments import Bound, NonNegative, Positive
from hudyn.config.annotations import problem_with
from hudyn.config.signatures import locate
from hudyn.config.source import MissingError, find

TARGETS = [
    "lightning.pytorch.Trainer",
    "lightning.pytorch.callbacks.EarlyStopping",
    "lightning.pytorch.callbacks.ModelCheckpoint",
    "lightning.pytorch.loggers.CSVLogger",
    "lightning.pytorch.profilers.SimpleProfiler",
    "torch.optim.SGD",
    "torch.optim.AdamW",
    "torch.nn.Linear",
    "torch.nn.LSTM",
    "torch.nn.Sequential",
    "torch.nn.Tanh",
    "torch.optim.lr_scheduler.StepLR",
    "torchmetrics.MeanMetric",
    "hudyn.tasks.characters.KMNISTDataModule",
    "hudyn.tasks.characters.ImageClassifier",
    "hudyn.tasks.check.GridClassifier",
    "hudyn.tasks.sequences.SequencePredictor",
    "hudyn.tasks.sequences.report_sequences",
    "hudyn.languages.Counting",
    "hudyn.networks.LSTM",
    "hudyn.networks.NetConv",
    "hudyn.run.checkpoint.Checkpoint",
    "hudyn.run.loggers.MLflow",
]


@pytest.mark.parametrize("name", TARGETS)
def test_the_source_shows_what_inspection_finds(name):
    from hydra.utils import get_object

    target, made = locate(name), get_object(name)
    parameters = inspect.signature(made).parameters.values()
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    assert list(target.arguments) == list(named)
    required = {name for name, parameter in named.items() if parameter.default is parameter.empty}
    assert {name for name, argument in target.arguments.items() if argument.required} == required
    assert target.takes_any == any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    assert target.name == f"{made.__module__}.{made.__qualname__}"
    if inspect.isclass(made):
        bases = [f"{base.__module__}.{base.__qualname__}" for base in inspect.getmro(made)]
        bases = [base for base in bases if base not in ("builtins.object", "abc.ABC", "typing.Generic")]
        assert sorted(target.ancestors) == sorted(bases)


def test_annotations_of_lightning_and_of_ours():
    precision = locate("lightning.pytorch.Trainer").arguments["precision"].annotation()
    assert problem_with("bf16-mixed", precision) is None
    assert problem_with(None, precision) is None
    assert problem_with(16, precision) is None
    assert "bf16-mixed" in problem_with("bogus", precision)
    data = locate("hudyn.tasks.characters.KMNISTDataModule").arguments
    assert problem_with(0, data["batch_size"].annotation()) == "expected at least 1, got 0"
    assert problem_with("KMIST", data["dataset"].annotation()).startswith("expected one of KMNIST, MNIST")
    betas = locate("torch.optim.Adam").arguments["betas"].annotation()
    assert problem_with([0.9, 0.99], betas) is None
    assert problem_with([0.9], betas).startswith("expected a list")


def test_nothing_is_imported():
    script = f"""
import sys
from hudyn.config.signatures import locate
for name in {TARGETS}:
    for argument in locate(name).arguments.values():
        argument.annotation()
assert not {{"torch", "lightning", "torchmetrics", "hudyn.tasks", "hudyn.networks"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("value", "hint", "fits"),
    [
        (True, int, False),
        (1, float, True),
        (1.0, int, False),
        (1, bool, False),
        (1, Literal[True, "a"], False),
        (None, int | None, True),
        ([1, 2], tuple[int, int], True),
        ([1, 2, 3], tuple[int, int], False),
        ([1, 2, 3], tuple[int, ...], True),
        ([1, "a"], list[int], False),
        ("ab", typing.Sequence[str], False),
        ({"a": 1}, typing.Mapping[str, float], True),
        ({"a": "b"}, dict[str, float], False),
        ("a", typing.Callable[[int], int], False),
        (0, Positive, False),
        (0, NonNegative | None, True),
        (-1, NonNegative | None, False),
        (5, Annotated[int, Bound("below 5", below=5)], False),
        ([[1]], Any, True),
        ({}, object, True),
    ],
)
def test_values_and_annotations(value, hint, fits):
    assert (problem_with(value, hint) is None) == fits


def test_classes_of_ones_own(tmp_path, monkeypatch):
    """Re-exports, aliases, inherited arguments, star imports, fallbacks; and what cannot be known without importing."""
    package = tmp_path / "unheard_of"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from .shapes import *\nfrom .made import Made\nfrom unheard_of import shapes\n"
    )
    (package / "shapes.py").write_text(
        "from __future__ import annotations\n"
        "from typing import Annotated, Optional\n"
        "from hudyn.arguments import Bound\n"
        "Side = Annotated[float, Bound('a side', above=0, below=10)]\n"
        "class Shape:\n    def __init__(self, name: str, *, colour: 'Optional[str]' = None): ...\n"
        "class Named(Shape): ...\n"
        "class Coloured(Shape):\n    def __init__(self, colour: str): ...\n"
        "class Square(Named, Coloured): ...\n"
        "class Box(Shape):\n    def __init__(self, side: Side, **rest: object): ...\n"
        "Cube = Box\n"
        "from lightning.pytorch import Trainer\n"
        "class Trainer(Trainer):\n    def __init__(self, *args: object, **kwargs: object): ...\n"
    )
    (package / "made.py").write_text("from collections import namedtuple\nMade = namedtuple('Made', ['x', 'y'])\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(locate("unheard_of.Named").arguments) == ["name", "colour"]
    assert list(locate("unheard_of.Square").arguments) == ["colour"]  # the order of inheritance is Python's
    cube = locate("unheard_of.shapes.Cube")
    assert (cube.name, list(cube.arguments), cube.takes_any) == ("unheard_of.shapes.Box", ["side"], True)
    assert problem_with(11, cube.arguments["side"].annotation()) == "expected a side, got 11"
    assert problem_with(3, locate("unheard_of.Shape").arguments["colour"].annotation()) == "expected a word, got 3"
    assert "unheard_of" not in sys.modules
    assert list(locate("unheard_of.Made").arguments) == ["x", "y"]  # no class statement: it is imported
    assert "unheard_of" in sys.modules
    trainer = locate("unheard_of.shapes.Trainer")
    assert trainer.takes("max_epochs")
    assert "lightning.pytorch.trainer.trainer.Trainer" in trainer.ancestors
    with pytest.raises(LookupError, match=r"there is no Boxx in unheard_of\.shapes; did you mean Box"):
        locate("unheard_of.shapes.Boxx")
    with pytest.raises(MissingError):
        find("unheard_of_too.Box")
    (tmp_path / "broken.py").write_text("class Broken(:\n")
    with pytest.raises(LookupError, match=r"broken\.Broken cannot be imported: SyntaxError"):
        locate("broken.Broken")
