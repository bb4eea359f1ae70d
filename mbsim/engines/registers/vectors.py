"""Vector registers and bit-sliced counters as types of numba.

`Vector(bits, count)` is a register of `count` unsigned words; &, |, ^, ~, + and - work on it word by word.
LLVM splits it where the machine's registers are narrower than `BYTES`.

`Counter(vector, planes)` is a sum of an odd number of ±1 terms for every bit of a vector: P planes in
registers, plane p holding bit p of (the number of -1 terms + an offset), chosen so that the highest plane is
the sign of the sum, 1 for negative. The sum is ±1 exactly where the highest plane differs from all others.

Source: carry-save addition (H. Warren, Hacker's Delight, 5-1).
"""

import operator

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

from mbsim.engines.registers.sizes import BYTES, students_in

# Functions that only compiled functions call: without the ways in from Python and C, each of which takes as
# long to compile as the function.
inner = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


class Vector(types.Type):
    """A register of `count` words of `bits` bits."""

    def __init__(self, bits: int, count: int):
        self.bits, self.count = bits, count
        super().__init__(name=f"Vector({bits}, {count})")


class Counter(types.Type):
    """P planes, each a vector."""

    def __init__(self, vector: Vector, planes: int):
        self.vector, self.planes = vector, planes
        super().__init__(name=f"Counter({vector.name}, {planes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.VectorType(ir.IntType(kind.bits), kind.count))


@register_model(Counter)
class _CounterModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        plane = ir.VectorType(ir.IntType(kind.vector.bits), kind.vector.count)
        super().__init__(manager, kind, ir.ArrayType(plane, kind.planes))


def _vector_of(array) -> Vector:
    return Vector(array.dtype.bitwidth, students_in(array.dtype.bitwidth))


def _constant(kind: ir.VectorType, value: int) -> ir.Constant:
    return ir.Constant(kind, [value] * kind.count)


def _address(builder, pointee, values):
    """Where element values[1] of the pointer values[0] lies, as a pointer to `pointee`."""
    return builder.bitcast(builder.gep(values[0], [values[1]]), pointee.as_pointer())


@intrinsic
def pointer(typing, address, kind):
    """The pointer to numbers of a type that an address (an integer) stands for.

    Functions are handed addresses, not arrays: an array costs a counted reference wherever it is passed on,
    which is more than what is done with it, and compiling its unpacking takes longer than compiling the rest.
    """
    result = types.CPointer(kind.instance_type)

    def generate(context, builder, signature, values):
        return builder.inttoptr(values[0], context.get_value_type(result))

    return result(address, kind), generate


def address(array: np.ndarray) -> int:
    """Where an array begins. It must be contiguous, and outlive what is done with its address."""
    return array.__array_interface__["data"][0]  # a quarter of the time of array.ctypes.data


@intrinsic
def load(typing, array, index):
    """The vector that starts at a word of a flat array."""

    def generate(context, builder, signature, values):
        place = _address(builder, context.get_value_type(signature.return_type), values)
        return builder.load(place, align=array.dtype.bitwidth // 8)

    return _vector_of(array)(array, types.intp), generate


@intrinsic
def store(typing, array, index, vector):
    """Put a vector into a flat array."""

    def generate(context, builder, signature, values):
        place = _address(builder, context.get_value_type(vector), values)
        builder.store(values[2], place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def load_widened(typing, array, index, like):
    """Small signed integers, one for each word of `like`, widened to its words: 0 and -1 become all bits."""

    def generate(context, builder, signature, values):
        width = array.dtype.bitwidth
        narrow = ir.VectorType(ir.IntType(width), like.count)
        loaded = builder.load(_address(builder, narrow, values), align=width // 8)
        return loaded if like.bits == width else builder.sext(loaded, context.get_value_type(like))

    return like(array, types.intp, like), generate


@intrinsic
def store_narrowed(typing, array, index, vector):
    """The lowest bits of each word, as many as the array's integers have."""

    def generate(context, builder, signature, values):
        width = array.dtype.bitwidth
        narrow = ir.VectorType(ir.IntType(width), vector.count)
        value = values[2] if vector.bits == width else builder.trunc(values[2], narrow)
        builder.store(value, _address(builder, narrow, values), align=width // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def load_bits(typing, array, index, like):
    """Bits of a flat array of bytes, one for each word of `like`, spread over the words: all bits or none.

    The index counts bits, and is a multiple of eight.
    """

    def generate(context, builder, signature, values):
        some, byte = ir.IntType(like.count), builder.lshr(values[1], ir.Constant(values[1].type, 3))
        loaded = builder.load(_address(builder, some, (values[0], byte)), align=1)
        flags = builder.bitcast(loaded, ir.VectorType(ir.IntType(1), like.count))
        return builder.sext(flags, context.get_value_type(like))

    return like(array, types.intp, like), generate


@intrinsic
def store_bits(typing, array, index, vector):
    """Put the highest bit of each word into a flat array of bytes; the index as in `load_bits`."""

    def generate(context, builder, signature, values):
        some, byte = ir.IntType(vector.count), builder.lshr(values[1], ir.Constant(values[1].type, 3))
        flags = builder.icmp_signed("<", values[2], _constant(values[2].type, 0))
        place = _address(builder, some, (values[0], byte))
        builder.store(builder.bitcast(flags, some), place, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def add_widened(typing, array, index, vector):
    """Add signed words to the wider integers of a flat array, one to each."""

    def generate(context, builder, signature, values):
        wide = ir.VectorType(ir.IntType(array.dtype.bitwidth), vector.count)
        place, align = _address(builder, wide, values), array.dtype.bitwidth // 8
        value = values[2] if vector.bits == array.dtype.bitwidth else builder.sext(values[2], wide)
        builder.store(builder.add(builder.load(place, align=align), value), place, align=align)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def filled(typing, like, word):
    """A vector with the same number in every word."""

    def generate(context, builder, signature, values):
        kind = context.get_value_type(like)
        narrow, width = word.bitwidth > like.bits, ir.IntType(like.bits)
        value = builder.trunc(values[1], width) if narrow else values[1]
        if word.bitwidth < like.bits:
            value = builder.sext(values[1], width)
        first = builder.insert_element(_constant(kind, 0), value, ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), like.count), [0] * like.count)
        return builder.shuffle_vector(first, first, lanes)

    return like(like, word), generate


@intrinsic
def zero_like(typing, vector):
    """Zeros."""
    return vector(vector), lambda context, builder, signature, values: _constant(values[0].type, 0)


@intrinsic
def popcount(typing, vector):
    """The number of ones in each word."""

    def generate(context, builder, signature, values):
        kind = values[0].type
        name = f"llvm.ctpop.v{vector.count}i{vector.bits}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), name)
        return builder.call(function, values)

    return vector(vector), generate


@intrinsic
def at_most_zero(typing, vector):
    """All ones in words that are zero or, as signed numbers, negative."""

    def generate(context, builder, signature, values):
        kind = values[0].type
        return builder.sext(builder.icmp_signed("<=", values[0], _constant(kind, 0)), kind)

    return vector(vector), generate


@intrinsic
def any_bit(typing, vector):
    """Whether any bit of any word is one."""

    def generate(context, builder, signature, values):
        wide = ir.VectorType(ir.IntType(64), BYTES // 8)
        differ = builder.icmp_unsigned("!=", builder.bitcast(values[0], wide), _constant(wide, 0))
        eight = ir.IntType(8)
        return builder.icmp_unsigned("!=", builder.bitcast(differ, eight), ir.Constant(eight, 0))

    return types.boolean(vector), generate


@intrinsic(prefer_literal=True)
def rotated(typing, vector, distance):
    """Every word rotated to the left by a constant."""

    def generate(context, builder, signature, values):
        left = builder.shl(values[0], _constant(values[0].type, distance.literal_value))
        right = builder.lshr(values[0], _constant(values[0].type, vector.bits - distance.literal_value))
        return builder.or_(left, right)

    return vector(vector, distance), generate


@intrinsic
def prefetch(typing, array, index):
    """Ask for the cache line of an element."""

    def generate(context, builder, signature, values):
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        place = _address(builder, ir.IntType(8), values)
        builder.call(function, [place, *(ir.Constant(number, flag) for flag in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _word_by_word(method, *operators):
    @intrinsic
    def instruction(typing, first, second):
        def generate(context, builder, signature, values):
            return getattr(builder, method)(*values)

        return first(first, second), generate

    for function in operators:

        @overload(function)
        def choose(first, second):
            if isinstance(first, Vector) and first == second:
                return lambda first, second: instruction(first, second)
            return None


_word_by_word("and_", operator.and_, operator.iand)
_word_by_word("or_", operator.or_, operator.ior)
_word_by_word("xor", operator.xor, operator.ixor)
_word_by_word("add", operator.add, operator.iadd)
_word_by_word("sub", operator.sub, operator.isub)


@intrinsic
def _inverted(typing, vector):
    return vector(vector), lambda context, builder, signature, values: builder.not_(values[0])


@overload(operator.invert)
def _invert(vector):
    if isinstance(vector, Vector):
        return lambda vector: _inverted(vector)
    return None


@intrinsic(prefer_literal=True)
def new_counter(typing, like, planes, offset):
    """The counter of no terms at all."""
    kind = Counter(like, planes.literal_value)

    def generate(context, builder, signature, values):
        result = ir.Constant(context.get_value_type(kind), ir.Undefined)
        for p in range(kind.planes):
            plane = _constant(values[0].type, -(offset.literal_value >> p & 1))
            result = builder.insert_value(result, plane, p)
        return result

    return kind(like, planes, offset), generate


@intrinsic(prefer_literal=True)
def load_counter(typing, array, index, stride, planes):
    """The counter whose planes lie `stride` words apart in a flat array."""
    kind = Counter(_vector_of(array), planes.literal_value)

    def generate(context, builder, signature, values):
        plane = context.get_value_type(kind.vector)
        result = ir.Constant(context.get_value_type(kind), ir.Undefined)
        index = values[1]
        for p in range(kind.planes):
            place = _address(builder, plane, (values[0], index))
            loaded = builder.load(place, align=array.dtype.bitwidth // 8)
            result = builder.insert_value(result, loaded, p)
            index = builder.add(index, values[2])
        return result

    return kind(array, types.intp, types.intp, planes), generate


@intrinsic
def store_counter(typing, array, index, stride, counter):
    """Put a counter's planes `stride` words apart into a flat array."""

    def generate(context, builder, signature, values):
        plane, index = context.get_value_type(counter.vector), values[1]
        for p in range(counter.planes):
            place = _address(builder, plane, (values[0], index))
            builder.store(builder.extract_value(values[3], p), place, align=array.dtype.bitwidth // 8)
            index = builder.add(index, values[2])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, counter), generate


@intrinsic
def counted(typing, counter, term):
    """One more term in the sum."""

    def generate(context, builder, signature, values):
        result, carry = values
        for p in range(counter.planes):
            plane = builder.extract_value(result, p)
            result = builder.insert_value(result, builder.xor(plane, carry), p)
            carry = builder.and_(plane, carry)
        return result

    return counter(counter, term), generate


@intrinsic
def counted_pair(typing, counter, first, second):
    """Two more terms in the sum: a full adder, then one carry instead of two."""

    def generate(context, builder, signature, values):
        result, a, b = values
        low = builder.extract_value(result, 0)
        either = builder.xor(a, b)
        carry = builder.or_(builder.and_(a, b), builder.and_(either, low))
        result = builder.insert_value(result, builder.xor(either, low), 0)
        for p in range(1, counter.planes):
            plane = builder.extract_value(result, p)
            result = builder.insert_value(result, builder.xor(plane, carry), p)
            carry = builder.and_(plane, carry)
        return result

    return counter(counter, first, second), generate


@intrinsic
def negated(typing, counter, where, term):
    """The sum after one of its terms, so far `term`, has changed its sign on the bits `where`."""

    def generate(context, builder, signature, values):
        result, where, term = values
        for p in range(counter.planes):
            plane = builder.extract_value(result, p)
            result = builder.insert_value(result, builder.xor(plane, where), p)
            # A term that was -1 leaves: count down, and borrow where the bit was 0. Otherwise up and carry.
            where = builder.and_(where, builder.xor(plane, term))
        return result

    return counter(counter, where, term), generate


@intrinsic
def sign(typing, counter):
    """Ones where the sum is negative."""

    def generate(context, builder, signature, values):
        return builder.extract_value(values[0], counter.planes - 1)

    return counter.vector(counter), generate


@intrinsic
def one_from_zero(typing, counter):
    """Ones where the sum is ±1, so that a term of its sign decides it."""

    def generate(context, builder, signature, values):
        planes = [builder.extract_value(values[0], p) for p in range(counter.planes)]
        result = _constant(planes[0].type, -1)
        for plane in planes[:-1]:
            result = builder.and_(result, builder.xor(plane, planes[-1]))
        return result

    return counter.vector(counter), generate


@intrinsic
def summed(typing, counter, where):
    """For each word, the sum over its bits in `where` of the numbers that the planes hold in two's
    complement: the highest plane counts -2^(P-1), plane p below it 2^p.
    """

    def generate(context, builder, signature, values):
        kind = context.get_value_type(where)
        name = f"llvm.ctpop.v{where.count}i{where.bits}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), name)

        def ones(p):
            return builder.call(function, [builder.and_(builder.extract_value(values[0], p), values[1])])

        result = builder.sub(_constant(kind, 0), ones(counter.planes - 1))
        for p in reversed(range(counter.planes - 1)):
            result = builder.add(builder.add(result, result), ones(p))
        return result

    return where(counter, where), generate
