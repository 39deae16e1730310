"""Seeds for every source of randomness, derived from one number, so that no draw depends on what ran before it."""

import torch

_MASK = (1 << 64) - 1  # of unsigned 64-bit arithmetic


def derived_seed(seed: int, *counters: int) -> int:
    """A 63-bit seed for the stream that `counters` identify under `seed` (SplitMix64's finaliser, Steele et al. 2014).

    >>> derived_seed(0, 1) != derived_seed(1, 0)
    True
    """
    state = seed & _MASK
    for value in (0, *counters):
        state = (state + 0x9E3779B97F4A7C15 * (value + 1)) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


def generator(seed: int, *counters: int) -> torch.Generator:
    """A CPU generator for the stream that `counters` identify under `seed`."""
    return torch.Generator().manual_seed(derived_seed(seed, *counters))


def seed_random_layers(device: torch.device, seed: int, *counters: int) -> None:
    """Seed the generator of `device` that random layers such as dropout draw from."""
    if device.type == "cpu":
        torch.default_generator.manual_seed(derived_seed(seed, *counters))  # faster than seeding every device
    else:
        torch.manual_seed(derived_seed(seed, *counters))
