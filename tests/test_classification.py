import pytest
import torch
import torch.nn.functional as F
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_precision, multiclass_recall

from hudyn.metrics.classification import (
    Choices,
    MemberChoices,
    MemberMeans,
    confident_mistakes,
    confusion_matrices,
    member_losses,
    precisions,
    ranked_confusions,
    recalls,
)


@pytest.fixture
def outputs():
    return torch.randn(3, 40, 5, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def targets():
    return torch.randint(5, (40,), generator=torch.Generator().manual_seed(2))


@pytest.fixture
def choices(outputs, targets):
    """Collected in two batches that come in the wrong order."""
    metric = MemberChoices()
    places = torch.arange(40)
    for part in (slice(25, 40), slice(0, 25)):
        metric.update(outputs[:, part], targets[part], places[part])
    return Choices.collected(metric, members=3)


def test_choices_come_in_the_order_of_the_split(choices, outputs, targets):
    assert torch.equal(choices.choices, outputs.argmax(-1))
    assert torch.equal(choices.targets, targets)
    torch.testing.assert_close(choices.confidences, outputs.softmax(-1).max(-1).values)


def test_scores_are_those_of_torch_and_torchmetrics(choices, outputs, targets):
    matrices = confusion_matrices(choices.choices, choices.targets, 5)
    for member, own in enumerate(outputs):
        assert choices.losses[member].item() == pytest.approx(F.cross_entropy(own, targets).item(), rel=1e-6)
        micro = multiclass_accuracy(own, targets, 5, average="micro")
        assert choices.accuracies[member].item() == pytest.approx(micro.item())
        torch.testing.assert_close(precisions(matrices)[member], multiclass_precision(own, targets, 5, average=None))
        torch.testing.assert_close(recalls(matrices)[member], multiclass_recall(own, targets, 5, average=None))


def test_one_member_and_one_item_keep_their_axes():
    metric = MemberChoices()
    metric.update(torch.tensor([[[0.0, 2.0]]]), torch.tensor([1]), torch.tensor([0]))
    choices = Choices.collected(metric, members=1)
    assert choices.choices.tolist() == [[1]]
    assert choices.losses.shape == choices.accuracies.shape == (1,)


def test_rows_are_targets_and_columns_choices():
    matrix = confusion_matrices(torch.tensor([[1, 1, 0]]), torch.tensor([0, 0, 0]), 2)
    assert matrix.tolist() == [[[1, 2], [0, 0]]]


def test_confusions_are_ranked_without_the_diagonal_and_without_zeros():
    matrix = torch.tensor([[9, 0, 2], [7, 1, 0], [0, 2, 8]])
    found = [(confusion.target, confusion.choice, confusion.count) for confusion in ranked_confusions(matrix)]
    assert found == [(1, 0, 7), (0, 2, 2), (2, 1, 2)]


def test_a_class_never_chosen_has_no_precision():
    matrices = torch.tensor([[[3, 0], [2, 0]]])
    assert precisions(matrices)[0].tolist() == [pytest.approx(0.6), pytest.approx(float("nan"), nan_ok=True)]


def test_confident_mistakes_are_wrong_and_surest_first(choices):
    found = confident_mistakes(choices, member=1, limit=5)
    assert all(mistake.choice != mistake.target for mistake in found)
    sure = [mistake.confidence for mistake in found]
    assert sure == sorted(sure, reverse=True)
    wrong = choices.choices[1] != choices.targets
    assert sure[0] == pytest.approx(choices.confidences[1][wrong].max().item())


def test_member_losses_with_shared_and_with_own_targets(outputs, targets):
    own = torch.stack([targets, targets.flip(0), targets])
    for given, expected in ((targets, [targets] * 3), (own, own)):
        wanted = [F.cross_entropy(o, t, reduction="sum") for o, t in zip(outputs, expected, strict=True)]
        torch.testing.assert_close(member_losses(outputs, given), torch.stack(wanted))
    torch.testing.assert_close(member_losses(outputs[:1], own[:1]), member_losses(outputs, own)[:1])


def test_means_over_an_epoch_survive_a_checkpoint():
    metric = MemberMeans(2)
    metric.update(torch.tensor([6.0, 3.0]), torch.tensor([1.0, 3.0]), 3)
    other = MemberMeans(2)
    other.load_state_dict(metric.state_dict())
    other.update(torch.tensor([1.0, 1.0]), torch.tensor([1.0, 0.0]), 1)
    other._update_count = 2
    assert other.compute()["loss"].tolist() == [7 / 4, 4 / 4]
    assert other.compute()["accuracy"].tolist() == [2 / 4, 3 / 4]
