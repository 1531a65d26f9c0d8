"""Functions compiled by numba."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from cl_core.system.paths import cache_dir

if not numba.config.CACHE_DIR and not os.access(Path(__file__).parent, os.W_OK):  # type: ignore[attr-defined]
    # The default cache directory is beside the source; numba raises an error if it is not writable.
    numba.config.CACHE_DIR = str(cache_dir() / "numba")  # type: ignore[attr-defined]
WITH_NAN = {"nsz", "arcp", "contract", "afn", "reassoc"}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function of finite numbers; the machine code is cached."""
    return _forgiving(njit(cache=True, nogil=True, fastmath=True)(function))


def compiled_with_nan(function: Callable[..., Any]) -> Any:
    """`compiled` for values that may be infinite or not a number."""
    return _forgiving(njit(cache=True, nogil=True, fastmath=WITH_NAN)(function))


def _forgiving(dispatcher: Any) -> Any:
    """A compiled function whose cache may be damaged or full: numba would raise at every call."""
    kept = dispatcher._cache
    load, save = kept.load_overload, kept.save_overload

    def load_overload(signature: Any, context: Any) -> Any:
        try:
            return load(signature, context)
        except Exception:
            with contextlib.suppress(OSError):
                kept.flush()  # an empty index: compile again
            return None

    def save_overload(signature: Any, result: Any) -> None:
        with contextlib.suppress(Exception):  # a full disk, or an index that is damaged meanwhile
            save(signature, result)

    kept.load_overload, kept.save_overload = load_overload, save_overload
    return dispatcher


@intrinsic
def prefetch(_: Any, table: Any, row: Any, column: Any) -> Any:
    """Have the processor load the cache line of table[row, column], which is used soon, while it computes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        item = cgutils.get_item_pointer(context, builder, signature.args[0], array, list(arguments[1:]), wraparound=False)
        address, integer = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address, integer, integer, integer])
        function = builder.module.declare_intrinsic("llvm.prefetch", [address], kind)
        # To read, to be kept in all caches, data.
        builder.call(function, [builder.bitcast(item, address), integer(0), integer(3), integer(1)])
        return context.get_dummy_value()

    return types.void(table, row, column), generate
