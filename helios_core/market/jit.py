"""How kernels are compiled: numba, strict IEEE arithmetic, division by zero gives inf or NaN.

Kernels themselves are not cached on disk; the two entry points in `kernel` are, under a key that
covers the source of every kernel. numba would otherwise keep machine code of a caller whose callee
in another file has changed.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def kernel(function: Kernel) -> Kernel:
    """Compile `function` into the kernels that call it; it keeps its signature for mypy.

    Python cannot call it: the wrappers for that would be a third of the compile time.
    """
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast("Kernel", njit(error_model="numpy", **options)(function))


def entry(function: Kernel) -> Kernel:
    """Compile like `kernel` and keep the machine code on disk."""
    return cast("Kernel", njit(error_model="numpy", cache=True)(function))
