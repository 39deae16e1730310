"""The class that every member predicts for every item, and the scores that follow."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


@dataclass(frozen=True)
class Choices:
    """The predictions of all members on one split."""

    choices: Tensor  # predicted class, [members, items]
    confidences: Tensor  # its predicted probability, [members, items]
    targets: Tensor  # true class, [items]
    losses: Tensor  # mean negative log-likelihood of the true class in nats, [members]

    @classmethod
    def collected(cls, by: "MemberChoices", members: int) -> "Choices":
        """The predictions that a metric has collected from `members` networks."""
        *tables, targets = by.compute()  # torchmetrics drops the axes of a single member's single item
        choices, confidences, losses = (table.reshape(members, -1) for table in tables)
        return cls(choices, confidences, targets.reshape(-1), losses.double().mean(dim=1))

    @property
    def accuracies(self) -> Tensor:
        """Share of items whose class is predicted correctly, [members]."""
        return (self.choices == self.targets).double().mean(dim=1)


class MemberChoices(Metric):
    """Collects the predictions of each member over the batches, and devices, of an evaluation."""

    full_state_update = False
    choices: list[Tensor]
    confidences: list[Tensor]
    losses: list[Tensor]
    targets: list[Tensor]
    places: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in ("choices", "confidences", "losses", "targets", "places"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, outputs: Tensor, targets: Tensor, places: Tensor) -> None:
        """Add one batch.

        Args:
            outputs: log-probabilities, or any logits, of the classes, [members, batch, classes].
            targets: true classes, [batch].
            places: index of each item in its split, [batch].
        """
        log_probabilities = log_probabilities_of(outputs)
        confidences, choices = log_probabilities.exp().max(-1)
        self.choices.append(choices.T)  # [batch, members]
        self.confidences.append(confidences.T)
        self.losses.append(item_losses(log_probabilities, targets).T)
        self.targets.append(targets)
        self.places.append(places)

    def compute(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Choices, confidences and losses, [members, items], and targets, [items], in the order of the split."""
        order = dim_zero_cat(self.places).argsort()
        choices, confidences, losses = (
            dim_zero_cat(state)[order].T.cpu() for state in (self.choices, self.confidences, self.losses)
        )
        return choices, confidences, losses, dim_zero_cat(self.targets)[order].cpu()


class MemberMeans(Metric):
    """Mean loss and accuracy of each member over the updates of an epoch, kept in checkpoints.

    Args:
        members: size of the population.
    """

    full_state_update = False
    loss: Tensor
    right: Tensor
    items: Tensor

    def __init__(self, members: int) -> None:
        super().__init__()
        for name, shape in (("loss", (members,)), ("right", (members,)), ("items", ())):
            self.add_state(name, torch.zeros(shape), dist_reduce_fx="sum", persistent=True)

    def update(self, losses: Tensor, right: Tensor, items: int) -> None:
        """Add sums over items: losses in nats [members], correct predictions [members], and the number of items."""
        self.loss += losses
        self.right += right
        self.items += items

    def compute(self) -> dict[str, Tensor]:
        """``loss`` and ``accuracy``, each [members]."""
        return {
            "loss": self.loss.cpu().double() / self.items.cpu(),
            "accuracy": self.right.cpu().double() / self.items.cpu(),
        }


def log_probabilities_of(outputs: Tensor) -> Tensor:
    """Log-probabilities of logits or of log-probabilities, [..., classes]; in float32 if they have half precision."""
    return outputs.log_softmax(-1, dtype=torch.promote_types(outputs.dtype, torch.float32))


def member_losses(outputs: Tensor, targets: Tensor) -> Tensor:
    """Negative log-likelihoods in nats summed over a batch, [members].

    Args:
        outputs: log-probabilities, or any logits, of the classes, [members, batch, classes].
        targets: true classes, [batch], or [members, batch].
    """
    return item_losses(log_probabilities_of(outputs), targets).sum(dim=1)


def item_losses(log_probabilities: Tensor, targets: Tensor) -> Tensor:
    """Negative log-likelihood of the true class in nats, [members, batch].

    Args:
        log_probabilities: of the classes, [members, batch, classes].
        targets: true classes, [batch], or [members, batch].
    """
    index = targets.expand(log_probabilities.shape[:-1]).unsqueeze(-1)
    return -log_probabilities.gather(-1, index).squeeze(-1)


def confusion_matrices(choices: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Confusion matrices of all members.

    Args:
        choices: predicted class, [members, items].
        targets: true class, [items].
        classes: number of classes.

    Returns:
        counts, int64 [members, classes, classes]: rows are the true class, columns the predicted one.
    """
    cells = targets * classes + choices  # [members, items]
    return torch.stack([own.bincount(minlength=classes**2) for own in cells]).unflatten(1, (classes, classes))


@dataclass(frozen=True)
class Confusion:
    """Items of class `target` classified as `choice`."""

    target: int
    choice: int
    count: int


def ranked_confusions(matrix: Tensor) -> list[Confusion]:
    """The mistakes of one member, most frequent first.

    >>> ranked_confusions(torch.tensor([[5, 1], [3, 4]]))
    [Confusion(target=1, choice=0, count=3), Confusion(target=0, choice=1, count=1)]
    """
    mistakes = matrix.clone().fill_diagonal_(0)
    order = mistakes.flatten().argsort(descending=True, stable=True)
    order = order[mistakes.flatten()[order] > 0]
    classes = len(matrix)
    return [Confusion(int(i) // classes, int(i) % classes, int(mistakes.flatten()[i])) for i in order]


def precisions(matrices: Tensor) -> Tensor:
    """Share of the items classified as a class that belong to it, [members, classes]; NaN if there are none."""
    return matrices.diagonal(dim1=1, dim2=2) / matrices.sum(dim=1)


def recalls(matrices: Tensor) -> Tensor:
    """Share of the items of a class that are classified as it, [members, classes]; NaN if there are none."""
    return matrices.diagonal(dim1=1, dim2=2) / matrices.sum(dim=2)


@dataclass(frozen=True)
class Mistake:
    """The item at `place` of its split, of class `target`, classified as `choice` with probability `confidence`."""

    place: int
    target: int
    choice: int
    confidence: float


def confident_mistakes(result: Choices, member: int, limit: int) -> list[Mistake]:
    """The `limit` most confident mistakes of `member`, most confident first."""
    choices, confidences = result.choices[member], result.confidences[member]
    wrong = (choices != result.targets).nonzero()[:, 0]
    order = wrong[confidences[wrong].argsort(descending=True, stable=True)[:limit]]
    return [Mistake(int(i), int(result.targets[i]), int(choices[i]), float(confidences[i])) for i in order]
