"""hudyn: train small networks, many copies at a time, and look at what their hidden units do."""

__version__ = "0.1.0"
