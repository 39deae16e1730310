"""trainer.precision=auto: the faster of float32 and bfloat16, by updates of the run's own networks."""

import statistics
import time
from typing import Final

import torch
from lightning.pytorch.plugins.precision import MixedPrecision, Precision

from hudyn.config.check import AUTO_PRECISION
from hudyn.run.run import Run
from hudyn.run.terminal import say
from hudyn.tasks.base import AnyData, AnyModule

FLOAT32: Final = "32-true"
BFLOAT16: Final = "bf16-mixed"
ROUNDS = 5  # timed updates in each precision


def settle_precision(run: Run, module: AnyModule, data: AnyData) -> None:
    """Put the precision chosen in the place of ``auto`` in the run's config, which keeps it; record and say why.

    Args:
        run: the run, on one CPU.
        module: its networks, which stay as they are; so do the generators of random numbers.
        data: its data, which are loaded if updates are timed.
    """
    trainer = run.config.trainer
    if trainer.get("precision") != AUTO_PRECISION:
        return
    trainer.precision, record = FLOAT32, {}
    if not module.trained:
        reason = "the network is not trained"
    elif not processor_has_bfloat16():
        reason = "this processor has no bfloat16"
    else:
        data.prepare_data()
        data.setup("fit")
        times = update_times(module, data)
        trainer.precision, record = min(times, key=times.__getitem__), {"update_s": times}
        reason = ", ".join(f"{1000 * seconds:.3g} ms an update in {precision}" for precision, seconds in times.items())
    run.save_config()
    run.record.parts["precision"] = {"chosen": trainer.precision} | record
    say(f"trainer.precision={AUTO_PRECISION}: {trainer.precision} ({reason})")


def processor_has_bfloat16() -> bool:
    """Whether torch's convolutions and matrix products can use bfloat16 on this processor."""
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def update_times(module: AnyModule, data: AnyData) -> dict[str, float]:
    """Median seconds of an update in each precision, on copies, in turns."""
    contexts = {FLOAT32: Precision(), BFLOAT16: MixedPrecision(BFLOAT16, "cpu")}
    updates = {precision: module.first_update(data) for precision in contexts}
    times: dict[str, list[float]] = {precision: [] for precision in contexts}
    with torch.random.fork_rng(devices=[]):
        for _ in range(1 + ROUNDS):
            for precision, context in contexts.items():
                started = time.perf_counter()
                with context.train_step_context():
                    updates[precision]()
                times[precision].append(time.perf_counter() - started)
    return {precision: statistics.median(all_times[1:]) for precision, all_times in times.items()}
