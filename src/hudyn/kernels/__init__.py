"""The loops that take most of the time: a reference in torch, and fused ones that equal it."""
