"""Kernels compiled by numba, for the CPU; what happens to a member depends on no other member and no thread."""
