"""Asking memory for numbers that a kernel will read soon, where they come in no order that a processor could guess.

A kernel that copies or adds up rows of a large matrix, one here and one there, would wait for each of them. Asked for
some rows ahead, they come while others are worked on; no result changes.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

LINE = 16  # float32 or int32 that come from memory together, on all usual processors


def _prefetch(_: Any, values: Any, place: Any) -> Any:
    """The signature and the code, as Numba asks for them."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind, index = signature.args
        numbers = context.make_array(kind)(context, builder, given[0]).data
        where = builder.gep(numbers, [context.cast(builder, given[1], index, types.intp)])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind_of = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind_of)
        reading, into_all_caches, data = number(0), number(3), number(1)
        builder.call(fetch, [builder.bitcast(where, byte), reading, into_all_caches, data])
        return context.get_dummy_value()

    return types.void(values, place), generate


prefetch = cast("Callable[[NDArray[Any], int], None]", intrinsic(_prefetch))
"""Within a kernel: ask for the line that holds an element, by its place from 0 on, of an array [n] without gaps."""
