"""How far the networks of a run count, proved: python benchmarks/counted.py RUN; seconds a network."""

import argparse
from functools import partial
from pathlib import Path

import hudyn
from hudyn.proof.counting import CountingProof
from hudyn.side_by_side import run_side_by_side


def proved(run: hudyn.Run, member: int) -> CountingProof:
    proof = hudyn.analyse(run.network(member=member), run.language).counting_proof
    assert proof
    return proof


def main() -> None:
    """Prove, and print a line for each network and one for all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run of SRNs, LSTMs or GRUs on a counting language")
    run = hudyn.load(parser.parse_args().run)
    assert isinstance(run, hudyn.Run)
    longest = run.metrics["test/longest"].values
    proofs = run_side_by_side([partial(proved, run, member) for member in range(len(longest))])
    for member, (proof, n) in enumerate(zip(proofs, longest, strict=True)):
        print(f"member {member}, N* {n:.0f}: {proof}")
    reached = sorted(proof.right for proof in proofs)
    print(
        f"{len(proofs)} networks: right up to n = {reached[0]} to {reached[-1]}, median {reached[len(reached) // 2]}; "
        f"wrong at the next n: {sum(proof.wrong == proof.right + 1 for proof in proofs)}; "
        f"wrong on all words from some n on: {sum(proof.always_wrong is not None for proof in proofs)}"
    )


if __name__ == "__main__":
    main()
