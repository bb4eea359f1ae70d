"""Vector registers as types of numba, and what is done with them word by word.

`Vector(bits, count)` is a register of `count` unsigned words; &, |, ^, ~, +, -, *, // and % work on it word by word.
LLVM splits it where the machine's registers are narrower than `BYTES`.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from mbsim.engines.registers.sizes import BYTES, students_in


class Vector(types.Type):
    """A register of `count` words of `bits` bits."""

    def __init__(self, bits: int, count: int):
        self.bits, self.count = bits, count
        super().__init__(name=f"Vector({bits}, {count})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.VectorType(ir.IntType(kind.bits), kind.count))


def vector_of(array) -> Vector:
    """The type of the register that words of an array fill."""
    return Vector(array.dtype.bitwidth, students_in(array.dtype.bitwidth))


def constant(kind: ir.VectorType, value: int) -> ir.Constant:
    """A vector with the same number in every word, when code is generated."""
    return ir.Constant(kind, [value] * kind.count)


@intrinsic
def filled(typing, like, word):
    """A vector with the same number in every word."""

    def generate(context, builder, signature, values):
        kind = context.get_value_type(like)
        narrow, width = word.bitwidth > like.bits, ir.IntType(like.bits)
        value = builder.trunc(values[1], width) if narrow else values[1]
        if word.bitwidth < like.bits:
            value = builder.sext(values[1], width)
        first = builder.insert_element(constant(kind, 0), value, ir.Constant(ir.IntType(32), 0))
        students = ir.Constant(ir.VectorType(ir.IntType(32), like.count), [0] * like.count)
        return builder.shuffle_vector(first, first, students)

    return like(like, word), generate


@intrinsic
def zero_like(typing, vector):
    """Zeros."""
    return vector(vector), lambda context, builder, signature, values: constant(values[0].type, 0)


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
        return builder.sext(builder.icmp_signed("<=", values[0], constant(kind, 0)), kind)

    return vector(vector), generate


@intrinsic
def highest_bits(typing, vector):
    """The highest bit of each word, those of the first words lowest, as an unsigned number of 64 bits."""

    def generate(context, builder, signature, values):
        flags = builder.icmp_signed("<", values[0], constant(values[0].type, 0))
        bits = builder.bitcast(flags, ir.IntType(vector.count))
        return bits if vector.count == 64 else builder.zext(bits, ir.IntType(64))

    return types.uint64(vector), generate


@intrinsic
def any_bit(typing, vector):
    """Whether any bit of any word is one."""

    def generate(context, builder, signature, values):
        wide = ir.VectorType(ir.IntType(64), BYTES // 8)
        differ = builder.icmp_unsigned("!=", builder.bitcast(values[0], wide), constant(wide, 0))
        eight = ir.IntType(8)
        return builder.icmp_unsigned("!=", builder.bitcast(differ, eight), ir.Constant(eight, 0))

    return types.boolean(vector), generate


@intrinsic(prefer_literal=True)
def rotated(typing, vector, distance):
    """Every word rotated to the left by a constant."""

    def generate(context, builder, signature, values):
        left = builder.shl(values[0], constant(values[0].type, distance.literal_value))
        right = builder.lshr(values[0], constant(values[0].type, vector.bits - distance.literal_value))
        return builder.or_(left, right)

    return vector(vector, distance), generate


@intrinsic
def chosen(typing, mask, one, other):
    """One where the mask has ones, the other elsewhere."""

    def generate(context, builder, signature, values):
        mask, one, other = values
        return builder.or_(builder.and_(one, mask), builder.and_(other, builder.not_(mask)))

    return mask(mask, mask, mask), generate


@intrinsic
def below(typing, first, second):
    """All ones in words that are smaller in the first, as unsigned numbers."""

    def generate(context, builder, signature, values):
        return builder.sext(builder.icmp_unsigned("<", *values), values[0].type)

    return first(first, second), generate


@intrinsic(prefer_literal=True)
def shifted(typing, vector, distance):
    """Every word shifted to the right by a constant."""

    def generate(context, builder, signature, values):
        return builder.lshr(values[0], constant(values[0].type, distance.literal_value))

    return vector(vector, distance), generate


def _word_by_word(method, *operators):
    """Operators of two vectors by an instruction. (numba's `overload` would compile a function for each.)"""

    def alike(context):
        def typed(first, second):
            return first if isinstance(first, Vector) and first == second else None

        return typed

    def generate(context, builder, signature, values):
        return getattr(builder, method)(*values)

    for function in operators:
        type_callable(function)(alike)
        lower_builtin(function, Vector, Vector)(generate)


_word_by_word("and_", operator.and_, operator.iand)
_word_by_word("or_", operator.or_, operator.ior)
_word_by_word("xor", operator.xor, operator.ixor)
_word_by_word("add", operator.add, operator.iadd)
_word_by_word("sub", operator.sub, operator.isub)
_word_by_word("mul", operator.mul, operator.imul)
_word_by_word("udiv", operator.floordiv)
_word_by_word("urem", operator.mod)


@type_callable(operator.invert)
def _inverted(context):
    def typed(vector):
        return vector if isinstance(vector, Vector) else None

    return typed


@lower_builtin(operator.invert, Vector)
def _invert(context, builder, signature, values):
    return builder.not_(values[0])
