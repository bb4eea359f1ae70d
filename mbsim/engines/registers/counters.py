"""Bit-sliced counters as types of numba.

`Counter(vector, planes)` is a sum of an odd number of ±1 terms for every bit of a vector: P planes in
registers, plane p holding bit p of (the number of -1 terms + an offset), chosen so that the highest plane is
the sign of the sum, 1 for negative. The sum is ±1 exactly where the highest plane differs from all others.

Source: carry-save addition (H. Warren, Hacker's Delight, 5-1).
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from mbsim.engines.registers.kept import inner
from mbsim.engines.registers.loading import place_of
from mbsim.engines.registers.vectors import Vector, constant, popcount, vector_of


class Counter(types.Type):
    """P planes, each a vector."""

    def __init__(self, vector: Vector, planes: int):
        self.vector, self.planes = vector, planes
        super().__init__(name=f"Counter({vector.name}, {planes})")


@register_model(Counter)
class _CounterModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        plane = ir.VectorType(ir.IntType(kind.vector.bits), kind.vector.count)
        super().__init__(manager, kind, ir.ArrayType(plane, kind.planes))


@intrinsic(prefer_literal=True)
def new_counter(typing, like, planes, offset):
    """The counter of no terms at all."""
    kind = Counter(like, planes.literal_value)

    def generate(context, builder, signature, values):
        result = ir.Constant(context.get_value_type(kind), ir.Undefined)
        for p in range(kind.planes):
            plane = constant(values[0].type, -(offset.literal_value >> p & 1))
            result = builder.insert_value(result, plane, p)
        return result

    return kind(like, planes, offset), generate


@intrinsic(prefer_literal=True)
def load_counter(typing, array, index, stride, planes):
    """The counter whose planes lie `stride` words apart in a flat array."""
    kind = Counter(vector_of(array), planes.literal_value)

    def generate(context, builder, signature, values):
        plane = context.get_value_type(kind.vector)
        result = ir.Constant(context.get_value_type(kind), ir.Undefined)
        index = values[1]
        for p in range(kind.planes):
            place = place_of(builder, plane, (values[0], index))
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
            place = place_of(builder, plane, (values[0], index))
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
        result = constant(planes[0].type, -1)
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

        result = builder.sub(constant(kind, 0), ones(counter.planes - 1))
        for p in reversed(range(counter.planes - 1)):
            result = builder.add(builder.add(result, result), ones(p))
        return result

    return where(counter, where), generate


@inner
def flips_of(counter, term):
    """Where a sum would change its sign if this one of its terms did."""
    return one_from_zero(counter) & ~(sign(counter) ^ term)


@inner
def more_wrong(flip, wrong):
    """How many more answers are wrong after changing those in `flip`."""
    both = popcount(flip & wrong)
    return popcount(flip) - both - both
