"""Kernels compiled by Triton, for CUDA."""
