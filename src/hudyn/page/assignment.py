"""The assignment: its questions, and from which runs, and where in them, the answer to each is found."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path

from omegaconf import OmegaConf

from hudyn.errors import HudynError
from hudyn.page import answers
from hudyn.page.answers import Block, Grid
from hudyn.page.assets import environment, style
from hudyn.page.links import link, run_name
from hudyn.page.run_page import command as run_command
from hudyn.run.folder import atomic_write
from hudyn.run.run import UNDER_A_RUN, Run

Runs = Mapping[str, Run]


@dataclass(frozen=True)
class Wanted:
    """A run that questions need.

    Attributes:
        network: what the page calls its network.
        experiment: its experiment.
        settings: values that it must have, by path in its config.
        overrides: what to give to train.py beside the experiment.
        optional: whether the page is complete without it.
    """

    network: str
    experiment: str
    settings: Mapping[str, object] = field(default_factory=dict)
    overrides: Sequence[str] = ()
    optional: bool = False

    @property
    def arguments(self) -> list[str]:
        """What train.py is given."""
        return [f"experiment={self.experiment}", *self.overrides]


@dataclass(frozen=True)
class Evidence:
    """What a question is answered by.

    Attributes:
        needs: the runs that it is made of, by their names in `WANTED`.
        make: makes it of these runs; None if they do not have it.
    """

    needs: Sequence[str]
    make: Callable[..., Block | None]


@dataclass(frozen=True)
class Question:
    """A question, and what it is answered by, in order."""

    number: str
    text: str
    evidence: Sequence[Evidence]


@dataclass(frozen=True)
class Part:
    """A part of the assignment."""

    title: str
    recipe: str
    questions: Sequence[Question]


@dataclass(frozen=True)
class Published:
    """A number that the assignment reports, and how it is measured here."""

    question: str
    quantity: str
    value: str
    run: str
    measured: Callable[[Run], str | None]


KMNIST: Mapping[str, object] = {"data.dataset": "KMNIST"}
WANTED = {
    "lin": Wanted("NetLin", "kmnist_lin", KMNIST),
    "full_100": Wanted(
        "NetFull with 100 hidden units",
        "kmnist_full",
        {"model.network.hidden_size": 100, **KMNIST},
        ["model.network.hidden_size=100"],
        optional=True,
    ),
    "full": Wanted("NetFull with 300 hidden units", "kmnist_full", {"model.network.hidden_size": 300, **KMNIST}),
    "conv": Wanted("NetConv", "kmnist_conv", KMNIST),
    "sigmoid": Wanted(
        "the network with 5 sigmoid units", "check_sigmoid", {"model.network.hidden_size": 5}, ["members=16"]
    ),
    "step": Wanted("the network with 4 step units", "check_step", {"model.network.hidden_size": 4}),
    "scaled": Wanted("the network with weights times 10", "check_scaled", {"model.network.scale": 10}),
    "srn": Wanted("the SRN", "srn_anb2n", {"model.network.hidden_size": 2, "data.language.ratios": [1, 2]}),
    "lstm": Wanted("the LSTM", "lstm_anb2nc3n", {"model.network.hidden_size": 3, "data.language.ratios": [1, 2, 3]}),
}


def of(name: str, make: Callable[..., Block | None], *arguments: str) -> Evidence:
    """What `make` makes of one run, given some more arguments."""
    return Evidence([name], lambda run: make(run, *arguments))


def classifier(name: str) -> list[Evidence]:
    """Accuracy and confusion matrix of a network for characters."""
    return [
        of(name, answers.accuracy, WANTED[name].network),
        of(name, answers.picture, "confusion_matrix", "Rows are the true characters, columns the network's choices."),
    ]


NETWORKS = ("lin", "full_100", "full", "conv")
PARTS = (
    Part(
        "Part 1: Japanese characters",
        "Three networks classify KMNIST, 28 × 28 pixels of ten handwritten characters: batches of 64 in file order, "
        "SGD with learning rate 0.01 and momentum 0.5 (NetConv: 0.9), 10 epochs.",
        (
            Question(
                "1",
                "NetLin has one linear layer and log-softmax. What are its final accuracy and confusion matrix?",
                classifier("lin"),
            ),
            Question(
                "2",
                "NetFull has two fully connected layers, with tanh at the hidden units. "
                "What are its final accuracy and confusion matrix?",
                [*classifier("full_100"), *classifier("full")],
            ),
            Question(
                "3",
                "NetConv has two convolutional layers and a fully connected one, with ReLU. "
                "What are its final accuracy and confusion matrix?",
                classifier("conv"),
            ),
            Question("4a", "How do the accuracies compare?", [Evidence(NETWORKS, answers.compared)]),
            Question(
                "4b",
                "How many independent parameters does each network have?",
                [Evidence(NETWORKS, answers.parameters)],
            ),
            Question(
                "4c",
                "Which characters are most likely to be mistaken for which others, and why?",
                [
                    Evidence(NETWORKS, answers.confusions),
                    *(
                        of(name, answers.how, f"Why {WANTED[name].network} mistakes them")
                        for name in ("lin", "full", "conv")
                    ),
                    of("lin", answers.picture, "weights", "NetLin's weights from the pixels to each class."),
                    of("conv", answers.picture, "mistakes", "The mistakes that NetConv is most confident of."),
                ],
            ),
        ),
    ),
    Part(
        "Part 2: check",
        "A two-layer perceptron labels the points (x, y) of a 3 × 3 grid with 1 where x + y is odd. The trained "
        "one: weights from N(0, 0.15²), Adam with learning rate 0.001 and weight decay 0.00001, all nine points an "
        "epoch; it stops after 2,000 epochs in a row with every point right, or after 200,000.",
        (
            Question(
                "1",
                "Train a network with 5 sigmoid units until it gets every point right. Plot each hidden unit and the "
                "output, and give the initial and the final weights.",
                [
                    of("sigmoid", answers.trained),
                    of("sigmoid", answers.picture, "units", "What each hidden unit and the output compute."),
                    of("sigmoid", answers.weights),
                    of("sigmoid", answers.how),
                    of("sigmoid", answers.picture, "training", "The dividing lines during training."),
                ],
            ),
            Question(
                "2",
                "Set the weights of a network with 4 step units by hand. Give the weights, the equations of the "
                "dividing lines, and the activations of the hidden units and the output for all nine points.",
                [
                    of("step", answers.points_right),
                    of("step", answers.lines),
                    of("step", answers.activations),
                    of("step", answers.picture, "dividing_lines", "The dividing lines with their equations."),
                    of("step", answers.picture, "units", "What each hidden unit and the output compute."),
                ],
            ),
            Question(
                "3",
                "Multiply all weights and biases by 10 and use sigmoid units in place of steps. Plot each hidden unit "
                "and the output.",
                [
                    of("scaled", answers.points_right),
                    of("scaled", answers.activations),
                    of("scaled", answers.picture, "units", "What each hidden unit and the output compute."),
                ],
            ),
        ),
    ),
    Part(
        "Part 3: hidden unit dynamics of recurrent networks",
        "Each network reads words joined into a sequence, with n drawn uniformly from 1 to 4, and predicts the next "
        "symbol: SGD with learning rate 0.005 and weight decay 0.0001, one sequence an update, 100,000 updates.",
        (
            Question(
                "1",
                "Train an SRN with 2 hidden units on aⁿb²ⁿ and plot its hidden states.",
                [
                    of("srn", answers.solved),
                    of("srn", answers.picture, "hidden_states", "Each dot is the hidden state after one symbol."),
                ],
            ),
            Question(
                "2",
                "Annotate the plot: which finite state machine is the network equivalent to?",
                [
                    of("srn", answers.machine),
                    of("srn", answers.picture, "automaton", "The machine that the hidden states form."),
                    of("srn", answers.picture, "automaton_states", "The states of the machine among the hidden ones."),
                ],
            ),
            Question(
                "3",
                "How does the network do it? How do the activations change as the string is read, and how does it "
                "predict the last b and the a that follows?",
                [
                    of("srn", answers.how),
                    of("srn", answers.first_symbols),
                    of("srn", answers.last_symbols, "b"),
                    of("srn", answers.read),
                    of("srn", answers.picture, "phase_portrait", "How each symbol moves the hidden state."),
                    of("srn", answers.picture, "time_course", "The activations and predictions, symbol by symbol."),
                ],
            ),
            Question(
                "4",
                "Train an LSTM with 3 hidden units on aⁿb²ⁿc³ⁿ and plot its hidden states.",
                [
                    of("lstm", answers.solved),
                    of("lstm", answers.picture, "hidden_states", "The hidden states in three projections."),
                    of("lstm", answers.picture, "hidden_states_3d", "The hidden states in three dimensions."),
                ],
            ),
            Question(
                "5",
                "Plot the context units too. How does the LSTM do it, by its hidden units, context units and gates?",
                [
                    of("lstm", answers.how),
                    of("lstm", answers.last_symbols, "b"),
                    of("lstm", answers.last_symbols, "c"),
                    of("lstm", answers.gates),
                    of("lstm", answers.picture, "context_states", "The context states in three projections."),
                    of("lstm", answers.picture, "context_states_3d", "The context states in three dimensions."),
                    of("lstm", answers.picture, "time_course", "Units, gates and predictions, symbol by symbol."),
                    of("lstm", answers.picture, "counters", "Units and gates against the number of symbols read."),
                ],
            ),
        ),
    ),
)
PUBLISHED = (
    Published("Part 1, 1", "test accuracy of NetLin", "about 70 % (69.65 %)", "lin", answers.test_accuracy),
    Published("Part 1, 2", "test accuracy of NetFull, 100 hidden units", "83 %", "full_100", answers.test_accuracy),
    Published(
        "Part 1, 2", "test accuracy of NetFull, 300 hidden units", "about 85 % (84.94 %)", "full", answers.test_accuracy
    ),
    Published("Part 1, 3", "test accuracy of NetConv", "about 94 % (93.82 %)", "conv", answers.test_accuracy),
    Published("Part 1, 4b", "parameters of NetLin", "7,850", "lin", answers.total_parameters),
    Published("Part 1, 4b", "parameters of NetFull", "238,510", "full", answers.total_parameters),
    Published("Part 1, 4b", "parameters of NetConv", "553,866", "conv", answers.total_parameters),
    Published("Part 1, 4c", "ma taken for su by NetLin", "144", "lin", partial(answers.count, "ma", "su")),
    Published("Part 1, 4c", "ha taken for su by NetLin", "124", "lin", partial(answers.count, "ha", "su")),
    Published("Part 1, 4c", "ha taken for su by NetFull", "86", "full", partial(answers.count, "ha", "su")),
    Published("Part 1, 4c", "ha taken for su by NetConv", "40", "conv", partial(answers.count, "ha", "su")),
    Published("Part 2, 1", "points right after training", "9 of 9", "sigmoid", answers.best_right),
    Published("Part 2, 1", "epochs until training stopped", "6,600", "sigmoid", answers.epochs),
    Published("Part 2, 2", "points right with step units", "9 of 9", "step", answers.best_right),
    Published("Part 2, 3", "points right with weights times 10", "9 of 9", "scaled", answers.best_right),
    Published("Part 3, 1", "SRNs that solve aⁿb²ⁿ", "one shown", "srn", answers.share_solved),
    Published("Part 3, 4", "LSTMs that solve aⁿb²ⁿc³ⁿ", "one shown", "lstm", answers.share_solved),
)


def found_runs(folder: Path) -> dict[str, Run]:
    """The newest finished run under `folder` for each name in `WANTED`; a run that cannot be read is left out."""
    newest = sorted(folder.glob("**/results.json"), key=lambda path: (path.stat().st_mtime, path), reverse=True)
    found: dict[str, Run] = {}
    for path in newest:
        if path.parent.parent.name in UNDER_A_RUN or not (path.parent / "config.yaml").is_file():
            continue
        run = Run(path.parent)
        for name, wanted in WANTED.items():
            if name not in found and _is(path, run, wanted):
                found[name] = run
    return {name: found[name] for name in WANTED if name in found}


def _is(path: Path, run: Run, wanted: Wanted) -> bool:
    """Whether a run is what is wanted, and finished."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if (content.get("experiment"), content.get("status")) != (wanted.experiment, "done"):
            return False
        settings = {"name": wanted.experiment, **wanted.settings}
        return all(OmegaConf.select(run.config, key) == value for key, value in settings.items())
    except (OSError, ValueError, AttributeError, HudynError):
        return False


def command(wanted: Wanted, folder: Path) -> list[str]:
    """The command that trains what is wanted, where the assignment's page in `folder` finds it."""
    place = [] if folder.resolve() == Path("outputs").resolve() else [f"hydra.run.dir={folder / wanted.experiment}"]
    return ["python", "train.py", *wanted.arguments, *place]


def write_assignment(folder: Path, runs: Runs) -> Path:
    """Write ``assignment.html`` into `folder`.

    Args:
        folder: where the page goes; it links to the pages of the runs.
        runs: the runs found, by their names in `WANTED`.

    Returns:
        where the page is.

    Raises:
        HudynError: it cannot be written.
    """
    target = folder / "assignment.html"
    page = (
        environment()
        .get_template("assignment.html.jinja")
        .render(
            parts=[_answered(part, folder, runs) for part in PARTS],
            published=_published(runs),
            runs={
                name: {
                    "network": WANTED[name].network,
                    "name": run_name(run),
                    "link": link(run, target),
                    "command": run_command(run),
                    "members": run.record.members,
                }
                for name, run in runs.items()
            },
            missing=[_missing(wanted, folder) for name, wanted in WANTED.items() if name not in runs],
            style=style(),
        )
    )
    with atomic_write(target) as file:
        file.write(page)
    return target


def _answered(part: Part, folder: Path, runs: Runs) -> dict[str, object]:
    """A part with its answers, as the template takes it."""
    return {
        "title": part.title,
        "recipe": part.recipe,
        "questions": [
            {
                "number": question.number,
                "text": question.text,
                "groups": [(kind, list(blocks)) for kind, blocks in groupby(_blocks(question, runs), _kind)],
                "runs": [name for name in _needs(question) if name in runs],
                "missing": [_missing(WANTED[name], folder) for name in _needs(question) if name not in runs],
            }
            for question in part.questions
        ],
    }


def _needs(question: Question) -> list[str]:
    return list(dict.fromkeys(name for evidence in question.evidence for name in evidence.needs))


def _blocks(question: Question, runs: Runs) -> list[Block]:
    """What the runs found say about a question."""
    blocks = []
    for evidence in question.evidence:
        available = [runs[name] for name in evidence.needs if name in runs]
        if block := evidence.make(*available) if available else None:
            blocks.append(block)
    return blocks


def _kind(block: Block) -> str:
    return block.kind


def _missing(wanted: Wanted, folder: Path) -> dict[str, object]:
    return {
        "network": wanted.network,
        "command": shlex.join(command(wanted, folder)),
        "optional": wanted.optional,
    }


def _published(runs: Runs) -> Grid:
    """The assignment's numbers beside those of the runs."""
    rows = []
    for row in PUBLISHED:
        run = runs.get(row.run)
        measured = row.measured(run) if run else None
        rows.append([row.question, row.quantity, row.value, measured or ("not measured" if run else "no run yet")])
    return Grid(["question", "quantity", "the assignment", "measured here"], rows)
