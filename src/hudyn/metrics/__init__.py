"""Scores, one value a member: thin torchmetrics classes over pure functions."""

from hudyn.metrics.classification import Choices, MemberChoices, MemberMeans

__all__ = ["Choices", "MemberChoices", "MemberMeans"]
