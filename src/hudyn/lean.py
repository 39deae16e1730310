"""Lightning's import without what it imports in turn and no command uses: a quarter of a brief run's time."""

import importlib.metadata
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

COMPILER = "torch._dynamo"
IF_INSTALLED = ("torchvision", "scipy", "triton")  # what torchmetrics and Lightning import if it is installed

wanted = False  # whether this process is a command's


def import_lightning(configs: "Iterable[DictConfig]") -> None:
    """Import Lightning as if torch's compiler, torchvision, scipy and Triton were not there; then they are again.

    Lightning imports torch's compiler for a class that it compares with, and every optimizer of torch imports it to be
    left out of what is compiled; torchmetrics imports torchvision and scipy for scores of its own. In this process
    those scores are missing and a compiled module is not recognised, so nothing is done where a config names classes of
    somebody else's. Lightning that is imported already stays as it is.

    Args:
        configs: of the runs that this process is to make.
    """
    if "lightning" in sys.modules or any(config.allowed_targets for config in configs):
        return
    import torch

    try:
        with _missing(IF_INSTALLED), _without_compiler(torch):
            import lightning.pytorch  # noqa: F401
    except (ImportError, AttributeError):  # a version that asks for more: it is imported as usual
        for name in [name for name in sys.modules if name.partition(".")[0] in ("lightning", "torchmetrics")]:
            del sys.modules[name]
        return
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        plain = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if plain is not None:
            setattr(plain, "__dynamo_disable", plain)  # where torch keeps what its compiler makes of it


@contextmanager
def _missing(packages: Sequence[str]) -> Iterator[None]:
    """Let `packages` be neither found nor installed."""
    import lightning_utilities.core.imports as requirements

    version, level = requirements._version, logging.root.manager.disable

    def version_of(distribution_name: str) -> str:
        if distribution_name in packages:
            raise importlib.metadata.PackageNotFoundError(distribution_name)
        return version(distribution_name)

    absent = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: importlib finds no such module
    requirements._version = version_of
    logging.disable()  # warnings of what is missing
    try:
        yield
    finally:
        logging.disable(level)
        requirements._version = version
        for package in absent:
            del sys.modules[package]


@contextmanager
def _without_compiler(torch: Any) -> Iterator[None]:
    """Let there be, in place of torch's compiler, the two names that Lightning asks it for."""
    if COMPILER in sys.modules:
        yield
        return
    compiler = ModuleType(COMPILER)
    compiler.OptimizedModule = type("OptimizedModule", (), {})  # type: ignore[attr-defined]
    compiler.disable = lambda function, *_, **__: function  # type: ignore[attr-defined]
    sys.modules[COMPILER] = torch._dynamo = compiler
    try:
        yield
    finally:
        del sys.modules[COMPILER], torch._dynamo
