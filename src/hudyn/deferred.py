"""Loads large packages only when they are used: torchmetrics, ``torch._dynamo`` and ``torch.utils.flop_counter``.

Lightning imports all three for a name or two each, and every optimizer imports ``torch._dynamo``, the front of
torch.compile. In turn they import torchvision, scipy.signal, sympy and triton: 4 seconds and 250 MB that a run has no
use for. Here those few names are given before their package is loaded. Any other name, and any submodule, loads the
package in place; from then on it is what its authors wrote.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache, wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import version
from threading import RLock
from types import ModuleType
from typing import Any, ClassVar

LOADING = RLock()


class Deferred(MetaPathFinder):
    """Finds the packages to defer before Python's own finders do; one that is imported already stays as it is."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a package to defer, or of a module whose deferred package has to be loaded first."""
        if fullname in _PACKAGES:
            spec = PathFinder.find_spec(fullname, path, target)
            if spec and spec.loader:
                spec.loader = _Deferring(spec.loader)
            return spec
        package = sys.modules.get(fullname.rpartition(".")[0])
        if isinstance(package, _Package) and not package.giving:
            package.load()
            if fullname in sys.modules:
                return ModuleSpec(fullname, _Loaded(sys.modules[fullname]))
        return None


class _Deferring(Loader):
    """Leaves loading to the package itself."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = _PACKAGES[module.__name__]


class _Loaded(Loader):
    """Gives a module that has been loaded while its spec was looked for."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec


class _Package(ModuleType):
    """A package that is loaded when a submodule is imported, or a name asked for that is not in `given`."""

    given: ClassVar[dict[str, Callable[[], object]]]
    giving: ClassVar[int] = 0  # names that are being given just now, for which submodules may be imported

    def load(self) -> None:
        """Become the package itself, if it is not yet."""
        with LOADING:
            if isinstance(self, _Package):  # no other thread has loaded it meanwhile
                spec: Any = self.__spec__
                spec.loader = self.__loader__ = spec.loader.loader
                object.__setattr__(self, "__class__", ModuleType)
                spec.loader.exec_module(self)

    def __getattr__(self, name: str) -> object:
        if name in self.given:
            _Package.giving += 1
            try:
                return self.given[name]()
            finally:
                _Package.giving -= 1
        if name == "__path__":  # asks whether a module is a package: it is not
            raise AttributeError(name)
        self.load()
        return getattr(self, name)


def _of_torchmetrics(module: str, name: str) -> Any:
    import_module("torchmetrics.utilities")  # comes first in the package too: its modules import each other
    return getattr(import_module(f"torchmetrics.{module}"), name)


class _TorchMetrics(_Package):
    given: ClassVar = {
        "Metric": lambda: _of_torchmetrics("metric", "Metric"),
        "MetricCollection": lambda: _of_torchmetrics("collections", "MetricCollection"),
        "__version__": lambda: version("torchmetrics"),
        "_logger": lambda: logging.getLogger("torchmetrics"),
    }


class _Dynamo(_Package):
    given: ClassVar = {
        "OptimizedModule": lambda: _OptimizedModule,
        "compiled_autograd": lambda: _CompiledAutograd(),
        "disable": lambda: _disable,
    }

    def load(self) -> None:
        with LOADING:
            super().load()
            for function in _untouched:
                vars(function).pop("__dynamo_disable", None)  # where torch keeps what `_disable` returned


class _CompiledAutograd:
    """What torch.func asks to be disabled while it differentiates: nothing is enabled yet."""

    _disable = staticmethod(nullcontext)

    def __getattr__(self, name: str) -> object:
        dynamo = sys.modules["torch._dynamo"]
        if isinstance(dynamo, _Dynamo):
            dynamo.load()
        return getattr(dynamo.compiled_autograd, name)


class _Compiled(type):
    def __instancecheck__(cls, instance: object) -> bool:
        dynamo = sys.modules["torch._dynamo"]
        return not isinstance(dynamo, _Dynamo) and isinstance(instance, dynamo.OptimizedModule)


class _OptimizedModule(metaclass=_Compiled):
    """Tells Lightning which modules are compiled: none as long as the compiler is not loaded."""


_untouched: list[Callable[..., Any]] = []  # functions that torch keeps out of a compiler that is not loaded yet


def _disable(function: Any = None, recursive: bool = True, *, wrapping: bool = True, **options: Any) -> Any:
    """Do what `torch._dynamo.disable` does, keep a function out of the compiler, from the time that there is one."""
    dynamo = sys.modules["torch._dynamo"]

    @cache
    def disabled() -> Callable[..., Any]:
        return dynamo.disable(function, recursive, wrapping=wrapping, **options)

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs) if isinstance(dynamo, _Dynamo) else disabled()(*args, **kwargs)

    if function is None or not isinstance(dynamo, _Dynamo):
        return disabled()
    if not wrapping:  # torch's own calls
        _untouched.append(function)
        return function
    return wraps(function)(call)


class _FlopCounterMode:
    """A context manager that Lightning makes to summarise a model; can be called, and made a base, as the class can."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__mro_entries__()[0](*args, **kwargs)

    def __mro_entries__(self, bases: tuple[object, ...] = ()) -> tuple[type]:
        module = sys.modules["torch.utils.flop_counter"]
        if isinstance(module, _Package):
            module.load()
        return (module.FlopCounterMode,)


class _FlopCounter(_Package):
    given: ClassVar = {"FlopCounterMode": _FlopCounterMode}


_PACKAGES: dict[str, type[_Package]] = {
    "torchmetrics": _TorchMetrics,
    "torch._dynamo": _Dynamo,
    "torch.utils.flop_counter": _FlopCounter,
}
