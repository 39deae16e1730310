"""The checker of proofs: it needs Python's standard library alone, and shares no code with the search."""
