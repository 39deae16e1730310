"""Proofs about networks: interval arithmetic, all fixed points of a map, certificates for words of every length.

What is proved holds in real arithmetic for the numbers that the weights are.
"""
