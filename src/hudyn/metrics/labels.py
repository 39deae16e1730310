"""Scores of members that give the log-odds of a label that is 0 or 1."""

import torch.nn.functional as F
from torch import Tensor


def label_losses(log_odds: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy in nats, the mean over items, [members].

    Args:
        log_odds: log-odds that each label is 1, [members, items]; infinite ones cost nothing where they are right.
        labels: 0. or 1., [items].
    """
    return F.softplus((1 - 2 * labels) * log_odds).mean(dim=-1)


def right_choices(log_odds: Tensor, labels: Tensor) -> Tensor:
    """Whether the label is 1 just where its probability is ½ or more, bool [members, items]; see `label_losses`."""
    return (log_odds >= 0) == (labels > 0.5)
