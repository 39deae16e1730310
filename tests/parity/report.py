"""The report on temporal parity."""

from typing import cast

from matplotlib.figure import Figure

from hudyn.figures.style import COLOURS, in_style
from hudyn.networks import RecurrentNetwork
from hudyn.tasks.artifacts import Artifacts, Table
from hudyn.tasks.base import Study
from tests.parity.data import ParityData
from tests.parity.module import ParityModule


def report_parity(study: Study[ParityModule, ParityData]) -> Artifacts:
    """The members' measures, and the best member's hidden states by parity."""
    network = cast(RecurrentNetwork, study.network())
    bits = study.data.every_sequence
    hidden = network.run(bits).hidden[:, -1].detach()  # [sequences, hidden]
    return Artifacts(
        tables={"members": Table(study.table_of_members())},
        figures={"hidden_states": hidden_states(hidden.numpy(), (bits.sum(dim=1) % 2).numpy(), study.best_name)},
        words={"best": f"The best member is {study.best_name}."},
        summary={"evaluation": {"best_member": study.best, "best_by": study.best_by}},
    )


@in_style
def hidden_states(hidden, parity, title) -> Figure:
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="hidden unit 1", ylabel="hidden unit 2", title=title)
    for value, name in enumerate(("even", "odd")):
        axes.scatter(*hidden[parity == value, :2].T, color=COLOURS[value], label=name)
    axes.legend(title="parity")
    return figure
