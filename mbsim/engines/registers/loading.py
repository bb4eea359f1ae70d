"""Between registers and memory: addresses, loads and stores."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mbsim.engines.registers.vectors import constant, vector_of


def place_of(builder, pointee, values):
    """When code is generated: where element values[1] of the pointer values[0] lies, as a pointer to `pointee`."""
    return builder.bitcast(builder.gep(values[0], [values[1]]), pointee.as_pointer())


def address(array: Any) -> int:
    """Where an array begins. It must be contiguous, and outlive what is done with its address."""
    return array.__array_interface__["data"][0]  # a quarter of the time of array.ctypes.data


@intrinsic
def moved(typing, array, index):
    """The part of a flat array that begins at this index."""
    return array(array, types.intp), lambda context, builder, signature, values: builder.gep(
        values[0], [values[1]]
    )


@intrinsic
def load(typing, array, index):
    """The vector that starts at a word of a flat array."""

    def generate(context, builder, signature, values):
        place = place_of(builder, context.get_value_type(signature.return_type), values)
        return builder.load(place, align=array.dtype.bitwidth // 8)

    return vector_of(array)(array, types.intp), generate


@intrinsic
def store(typing, array, index, vector):
    """Put a vector into a flat array."""

    def generate(context, builder, signature, values):
        place = place_of(builder, context.get_value_type(vector), values)
        builder.store(values[2], place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def load_widened(typing, array, index, like):
    """Small signed integers, one for each word of `like`, widened to its words: 0 and -1 become all bits."""

    def generate(context, builder, signature, values):
        width = array.dtype.bitwidth
        narrow = ir.VectorType(ir.IntType(width), like.count)
        loaded = builder.load(place_of(builder, narrow, values), align=width // 8)
        return loaded if like.bits == width else builder.sext(loaded, context.get_value_type(like))

    return like(array, types.intp, like), generate


@intrinsic
def store_narrowed(typing, array, index, vector):
    """The lowest bits of each word, as many as the array's integers have."""

    def generate(context, builder, signature, values):
        width = array.dtype.bitwidth
        narrow = ir.VectorType(ir.IntType(width), vector.count)
        value = values[2] if vector.bits == width else builder.trunc(values[2], narrow)
        builder.store(value, place_of(builder, narrow, values), align=width // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def load_bits(typing, array, index, like):
    """Bits of a flat array of bytes, one for each word of `like`, spread over the words: all bits or none.

    The index counts bits, and is a multiple of eight.
    """

    def generate(context, builder, signature, values):
        some, byte = ir.IntType(like.count), builder.lshr(values[1], ir.Constant(values[1].type, 3))
        loaded = builder.load(place_of(builder, some, (values[0], byte)), align=1)
        flags = builder.bitcast(loaded, ir.VectorType(ir.IntType(1), like.count))
        return builder.sext(flags, context.get_value_type(like))

    return like(array, types.intp, like), generate


@intrinsic
def flip_bits(typing, array, index, vector):
    """Change bits of a flat array of bytes: those of words whose highest bit is one; the index as in `load_bits`."""

    def generate(context, builder, signature, values):
        some, byte = ir.IntType(vector.count), builder.lshr(values[1], ir.Constant(values[1].type, 3))
        flags = builder.icmp_signed("<", values[2], constant(values[2].type, 0))
        place = place_of(builder, some, (values[0], byte))
        changed = builder.xor(builder.load(place, align=1), builder.bitcast(flags, some))
        builder.store(changed, place, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def add_widened(typing, array, index, vector):
    """Add signed words to the wider integers of a flat array, one to each."""

    def generate(context, builder, signature, values):
        wide = ir.VectorType(ir.IntType(array.dtype.bitwidth), vector.count)
        place, align = place_of(builder, wide, values), array.dtype.bitwidth // 8
        value = values[2] if vector.bits == array.dtype.bitwidth else builder.sext(values[2], wide)
        builder.store(builder.add(builder.load(place, align=align), value), place, align=align)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def prefetch(typing, array, index):
    """Ask for the cache line of an element."""

    def generate(context, builder, signature, values):
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        place = place_of(builder, ir.IntType(8), values)
        builder.call(function, [place, *(ir.Constant(number, flag) for flag in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
