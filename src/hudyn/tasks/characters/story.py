"""What the page tells of image classifiers: how many images they name, what they mistake for what, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.stats import spearmanr
from torch import Tensor

from hudyn.metrics.classification import Choices, confusion_matrices, precisions, ranked_confusions, recalls
from hudyn.tasks.artifacts import Story
from hudyn.tasks.base import Study
from hudyn.tasks.characters.data import KMNISTDataModule
from hudyn.tasks.characters.module import SPLIT, ImageClassifier
from hudyn.tasks.wording import listed

TOLD = 3  # most frequent confusions

FIGURES = {
    "confusion_matrix": "How many images of each true class (row) the best network assigns to each class (column); "
    "off the diagonal are its mistakes, and the colour is the share of the row.",
    "confusion_matrices": "The same for every network, without numbers: mistakes that all networks share lie in the "
    "data, others in the seed.",
    "mistakes": "The images that the best network gets wrong with the highest probability: true class, its choice, and "
    "the probability of that choice.",
    "weights": "The weights of the first layer as images: a pixel with a positive weight drives the unit up where the "
    "image is light, one with a negative weight drives it down.",
    "learning_curves": "Loss and accuracy after each epoch; a gap between training and test curves is overfitting.",
}
TABLES = {
    "confusion_matrix": "Test images of each true class (row) by predicted class (column), for every network.",
    "confusions": "The mistakes of every network, the most frequent first.",
    "classes": "Precision (the share of the images given a class that belong to it) and recall (the share of a class's "
    "images that are given it).",
    "mistakes": "The mistakes that each network makes with the highest probability; image is the number in the test "
    "set.",
    "parameters": "The independent parameters of each layer, with the arithmetic.",
    "members": "Every network with its seed and measures.",
}


def characters_story(study: Study[ImageClassifier, KMNISTDataModule]) -> Story:
    """The share of test images named correctly, and what the best member confuses."""
    return Story(answer=_answer(study), how=_how(study), figures=FIGURES, tables=TABLES)


def _answer(study: Study[ImageClassifier, KMNISTDataModule]) -> str:
    choices, kind = study.module.choices[SPLIT], type(study.network()).__name__
    accuracies, images = choices.accuracies, f"the {len(choices.targets):,} test images"
    if study.members == 1:
        return f"{kind} names {accuracies[0]:.2%} of {images} correctly.".replace("%", " %")
    mean, low, high = (f"{value:.2%}".replace("%", " %") for value in _summary(accuracies))
    return f"{study.members} {kind} networks name {mean} of {images} correctly on average, from {low} to {high}."


def _summary(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, minimum and maximum."""
    return values.mean(), values.min(), values.max()


def _how(study: Study[ImageClassifier, KMNISTDataModule]) -> list[str]:
    choices, labels, best = study.module.choices[SPLIT], study.data.class_labels, study.best
    matrix = confusion_matrices(choices.choices, choices.targets, len(labels))[best]
    means = mean_images(*study.data.splits["train"], len(labels))
    paragraphs = [_most_mistaken(matrix, labels)]
    if ranked_confusions(matrix):
        images = study.data.splits[SPLIT][0]
        paragraphs.append(_why(matrix, labels, means, images, choices, best))
    return [*paragraphs, _extremes(matrix, labels)]


def _most_mistaken(matrix: Tensor, labels: Sequence[str]) -> str:
    confusions = ranked_confusions(matrix)
    if not confusions:
        return "The best network makes no mistake."
    totals = matrix.sum(dim=1).tolist()
    parts = [
        f"{labels[item.target]} for {labels[item.choice]} ({item.count} of {totals[item.target]:,} images, "
        f"{100 * item.count / totals[item.target]:.1f} %)"
        for item in confusions[:TOLD]
    ]
    return f"The best network most often mistakes {listed(parts)}."


def _why(matrix: Tensor, labels: Sequence[str], means: Tensor, images: Tensor, choices: Choices, member: int) -> str:
    """How far the likeness of the classes explains the mistakes."""
    worst = ranked_confusions(matrix)[0]
    target, choice = labels[worst.target], labels[worst.choice]
    likeness = Likeness.of(means, matrix)
    correlation = likeness.correlations[worst.target, worst.choice]
    text = (
        f"The mean training images of {target} and {choice} are number {likeness.rank(worst.target, worst.choice)} in "
        f"likeness among the {likeness.number} pairs of classes (correlation {correlation:.2f}, median "
        f"{likeness.median:.2f})."
    )
    tendency = "tend to be" if likeness.rho > 0 else "are not"
    text += (
        f" Over all pairs, classes that are more alike {tendency} mistaken for each other more often (rank correlation "
        f"{likeness.rho:.2f})."
    )
    of_class = choices.targets == worst.target
    nearer = nearer_to(images[of_class].cpu(), means, worst.target, worst.choice)
    taken = choices.choices[member, of_class] == worst.choice
    right = choices.choices[member, of_class] == worst.target
    text += (
        f" Of the images of {target} taken for {choice}, {_share(nearer[taken])} are closer to the mean image of "
        f"{choice} than to that of {target}"
    )
    return f"{text}; of those recognised, {_share(nearer[right])}." if right.any() else f"{text}."


def _extremes(matrix: Tensor, labels: Sequence[str]) -> str:
    precision, recall = precisions(matrix[None])[0], recalls(matrix[None])[0]
    known = precision.nan_to_num(torch.inf)
    return (
        f"{labels[int(recall.argmax())]} is recognised best ({_percent(recall.max())} of its images), "
        f"{labels[int(recall.argmin())]} worst ({_percent(recall.min())}). The choice {labels[int(known.argmin())]} is "
        f"the least reliable: {_percent(known.min())} of the images given this class belong to it."
    )


def mean_images(images: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Mean image of each class, [classes, pixels].

    Args:
        images: uint8 [items, height, width].
        targets: class of each image, [items].
        classes: number of classes.
    """
    means = [images[targets == label].flatten(1).float().mean(dim=0) for label in range(classes)]
    return torch.stack(means).nan_to_num().cpu()


def nearer_to(images: Tensor, means: Tensor, target: int, choice: int) -> Tensor:
    """Whether each image is closer to the mean image of `choice` than to that of `target`, bool [images]."""
    pixels = images.flatten(1).float()
    own, other = ((pixels - means[label]).square().sum(dim=1) for label in (target, choice))
    return other < own


@dataclass(frozen=True)
class Likeness:
    """How alike the mean images of the classes are.

    Attributes:
        correlations: of the mean images of each pair of classes, [classes, classes].
        rho: Spearman's rank correlation between these and the mistakes within each unordered pair.
    """

    correlations: Tensor
    rho: float

    @classmethod
    def of(cls, means: Tensor, matrix: Tensor) -> "Likeness":
        """That of mean images [classes, pixels] and a confusion matrix [classes, classes]."""
        correlations = torch.corrcoef(means)
        first, second = torch.triu_indices(len(means), len(means), offset=1)
        mistakes = (matrix + matrix.T)[first, second]
        return cls(correlations, float(spearmanr(correlations[first, second].numpy(), mistakes.numpy()).statistic))

    @property
    def pairs(self) -> Tensor:
        """The correlation of each unordered pair, [pairs]."""
        classes = len(self.correlations)
        first, second = torch.triu_indices(classes, classes, offset=1)
        return self.correlations[first, second]

    @property
    def number(self) -> int:
        """Number of unordered pairs."""
        return len(self.pairs)

    @property
    def median(self) -> float:
        """Median correlation of the pairs."""
        return float(self.pairs.quantile(0.5))

    def rank(self, one: int, other: int) -> int:
        """Place of a pair, 1 for the pair whose mean images are most alike."""
        return 1 + int((self.pairs > self.correlations[one, other]).sum())


def _percent(share: Tensor) -> str:
    return f"{100 * float(share):.1f} %"


def _share(true: Tensor) -> str:
    """Share of the items for which something is true."""
    return f"{100 * true.double().mean().item():.0f} %"
