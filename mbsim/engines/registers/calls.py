"""Calling compiled functions by their address, so that what calls them is compiled once for all of them."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WORD = ir.IntType(64)


def address_of(function: Any, count: int) -> int:
    """The address of a compiled function of so many integers, which gives nothing; it must outlive its calls."""
    signature = (types.int64,) * count
    if signature not in function.overloads:  # asking the compiler takes longer
        function.compile(signature)
    compiled = function.overloads[signature]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


@intrinsic
def words_at(typing, place):
    """A pointer to the 64-bit words at an address."""
    pointer = types.CPointer(types.int64)

    def generate(context, builder, signature, values):
        return builder.inttoptr(values[0], context.get_value_type(pointer))

    return pointer(types.int64), generate


@intrinsic
def call(typing, function, arguments):
    """Call the function at an address with a tuple of integers."""

    def generate(context, builder, signature, values):
        # numba's convention: where the result goes, where an exception would, the arguments; a status comes back.
        place = ir.IntType(8).as_pointer()
        count = len(signature.args[1].types)
        kind = ir.FunctionType(ir.IntType(32), [place.as_pointer(), place.as_pointer(), *[WORD] * count])
        with builder.goto_entry_block():
            result, exception = builder.alloca(place), builder.alloca(place)
        given = [builder.extract_value(values[1], i) for i in range(count)]
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), [result, exception, *given])
        return context.get_dummy_value()

    return types.void(types.int64, arguments), generate
