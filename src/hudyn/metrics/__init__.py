"""Scores, one value a member: thin torchmetrics classes over pure functions."""
