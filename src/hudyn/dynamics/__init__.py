"""Analysis of trained networks: pure functions from tensors to results."""
