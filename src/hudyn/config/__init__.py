"""Configs: composing one as Hydra does, checking it twice, and making the objects that it names."""
