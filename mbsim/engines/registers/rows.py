"""Rows: how compiled functions are told of records.

What a function needs lies in memory as one row of 64-bit numbers, the fields of some records one after the other,
and the function is handed the row's address. `told` reads a record from it, with pointers in place of addresses.
(An array as argument costs a counted reference wherever it is passed on, which is more than what is done with it.)

A row is the sum of two. The rows of all blocks (`groups`) have zeros at what belongs to the thread that does the
work; each thread has a row of its own (`rooms`) with zeros at the rest.
"""

from typing import Any, get_type_hints

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mbsim.engines.registers import records as of

ROWS: dict[str, tuple[Any, ...]] = {
    "training": (
        of.Sizes, of.Tables, of.TeacherWeights, of.StudentWeights, of.Order, of.Batch, of.Keys, of.Sets, of.Heat,
        of.Tally,
    ),
    "exam": (
        of.Sizes, of.Seats, of.Tables, of.TeacherWeights, of.StudentWeights, of.Keys, of.Sets, of.Exam, of.Tally,
    ),
    "agreement": (of.Sizes, of.Seats, of.Agreement),
    "drawing": (of.Links, of.Drawing),
    "orders": (of.Ordering,),
    "colours": (of.Colouring,),
    "teachers": (of.TeacherDrawing,),
    "work": (of.Work, of.Results, of.Room),
}  # fmt: skip
"""The records of each kind of row."""


def row_of(*records: tuple[Any, ...]) -> np.ndarray:
    """A row, (words,) int64; fields may be arrays (blocks, ...) alike, then so is the row (blocks, ..., words)."""
    fields = [field for record in records for field in record]
    row = np.empty((*np.broadcast_shapes(*map(np.shape, fields)), len(fields)), np.int64)
    for place, field in enumerate(fields):
        row[..., place] = field
    return row


def nothing(kind: Any) -> Any:
    """A record of zeros: what the other row tells."""
    return kind(*[0] * len(kind._fields))


def place_of(row: str, record: Any, field: str) -> int:
    """The place of a field in a row."""
    before = ROWS[row][: ROWS[row].index(record)]
    return sum(len(one._fields) for one in before) + record._fields.index(field)


def length_of(row: str) -> int:
    """Words of a row."""
    return sum(len(one._fields) for one in ROWS[row])


def pointers(cls: Any, bits: int) -> list[Any]:
    """The types of a record's fields in compiled code: pointers to what the annotations say, or None for a number;
    words have `bits` bits.
    """
    hints = get_type_hints(cls, include_extras=True)
    made: list[Any] = []
    for field in cls._fields:
        [kind] = getattr(hints[field], "__metadata__", [None])
        if isinstance(kind, str):
            kind = np.dtype(f"{kind}{bits}").type
        made.append(None if kind is None else types.CPointer(getattr(types, np.dtype(kind).name)))
    return made


@intrinsic(prefer_literal=True)
def told(typing, place, row, record, bits):
    """The record of this name in the row of this kind that lies at an address."""
    [cls] = [one for one in ROWS[row.literal_value] if one.__name__ == record.literal_value]
    begin = place_of(row.literal_value, cls, cls._fields[0])
    made = pointers(cls, bits.literal_value)
    result = types.BaseTuple.from_types([types.int64 if kind is None else kind for kind in made], cls)

    def generate(context, builder, signature, values):
        word = ir.IntType(64)
        words = builder.inttoptr(values[0], word.as_pointer())
        parts = []
        for i, kind in enumerate(made):
            value = builder.load(builder.gep(words, [ir.Constant(word, begin + i)]))
            parts.append(value if kind is None else builder.inttoptr(value, context.get_value_type(kind)))
        return context.make_tuple(builder, result, parts)

    return result(types.int64, row, record, bits), generate
