"""Loss and accuracy of binary classifiers that output log-odds."""

import torch.nn.functional as F
from torch import Tensor


def label_losses(log_odds: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy in nats, averaged over items, [members].

    Args:
        log_odds: log-odds that each label is 1, [members, items]; an infinite one that is right has no loss.
        labels: 0. or 1., [items].
    """
    return F.softplus((1 - 2 * labels) * log_odds).mean(dim=-1)


def right_choices(log_odds: Tensor, labels: Tensor) -> Tensor:
    """Whether each label is predicted correctly: 1 if its probability is ½ or more, bool [members, items]."""
    return (log_odds >= 0) == (labels > 0.5)
