"""Training loops: the reference in torch, and fused kernels that give the same results faster."""
