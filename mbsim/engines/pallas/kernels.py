"""The two kernels: a part of a sweep, and an examination.

Each is one `pallas_call` whose programs own a block of students each and speak to no other. A program unfolds its
students' weights on its inputs (`unfold`), then does the proposals of the part one after the other, or counts
wrong outputs. Consecutive programs share a teacher: teacher t's tables and orders serve programs t*B to
(t + 1)*B - 1.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl

from mbsim.engines.networks import Shape
from mbsim.engines.pallas import bitwise, layout, scalar, targets, vector
from mbsim.engines.pallas.body import Body, majority, of_record, summed, words_written_out
from mbsim.engines.pallas.layout import Layout
from mbsim.engines.pallas.targets import Target
from mbsim.engines.pallas.unfold import fold, planes_begin, unfold
from mbsim.sampling.streams import Leaf


class Size(NamedTuple):
    """What a kernel is made for. heat: limits of a student, 0 where all are greedy; programs: how many there are;
    blocks: how many of them share a teacher.
    """

    target: Target
    shape: Shape
    layout: Layout
    heat: int
    programs: int
    blocks: int


class Rows(NamedTuple):
    """Arrays that pass through a kernel, (rows, *lanes) int32: mask, inputs, packed weights."""

    mask: Array
    x: Array
    w: Array
    v: Array


class Heat(NamedTuple):
    """key (2F, *single) and limits (F heat, *single), int32, for T > 0."""

    key: Array
    limits: Array


class Tables(NamedTuple):
    """Tables of the teachers (teachers, 1, entries) int32."""

    sources: Leaf
    readers: Leaf


def part_of_sweep(
    size: Size, span: Array, order: Array, tables: Tables, rows: Rows, heat: Heat | None
) -> tuple[Array, Array, Array]:
    """Do proposals of a sweep.

    Args:
        size: of the kernel.
        span: (1, 1, 3) int32: the sweep's number, the first proposal and the one after the last.
        order: (teachers, 1, 3n) int32, as `tables.order_rows`.
        tables: of the teachers.
        rows: w and v may be overwritten.
        heat: None where all are greedy.

    Returns:
        w, v and the number of accepted proposals (F, *single).
    """
    trained = size.shape.train_output
    taking = {"span": span, "order": order, **tables._asdict(), "mask": rows.mask, "x": rows.x, "w": rows.w}
    giving = {"w_out": rows.w, "accepted": None}
    if trained:
        taking["v"], giving["v_out"] = rows.v, rows.v
    if heat is not None:
        taking |= heat._asdict()

    def run(refs: dict) -> None:
        body = _body(size, refs)
        unfold(body)
        _proposals(body, refs["span"], refs["accepted"])
        fold(body)

    given = _call(size, run, taking, giving, {"w": "w_out", "v": "v_out"})
    return given["w_out"], given["v_out"] if trained else rows.v, given["accepted"]


@functools.partial(jax.jit, static_argnums=0)
def examine(size: Size, tables: Tables, rows: Rows) -> Array:
    """Numbers of wrong outputs (F, *single) on the examples in the mask. Traced once for a program that calls it in
    two places.
    """
    taking = {**tables._asdict(), "mask": rows.mask, "x": rows.x, "w": rows.w}
    if size.shape.train_output:
        taking["v"] = rows.v

    def run(refs: dict) -> None:
        body = _body(size, refs)
        unfold(body)
        _wrong_outputs(body, refs["accepted"])

    return _call(size._replace(heat=0), run, taking, {"accepted": None}, {})["accepted"]


def _body(size: Size, refs: dict) -> Body:
    named = {name: ref for name, ref in refs.items() if name in Body._fields}
    sweep = refs["span"][0, 0] if "span" in refs else None
    return Body(size.shape, size.layout, size.heat, sweep=sweep, **named)


def _proposals(body: Body, span, accepted) -> None:
    """Do the proposals of the span, and count the accepted ones."""
    shape, fields, bits = body.shape, body.layout.fields, body.layout.bits
    n = shape.proposals
    outputs = shape.output_links * body.layout.words if shape.train_output else 0
    nothing = jnp.zeros(body.layout.single, jnp.int32)

    def entries(i: Array) -> tuple[Array, ...]:
        """What tables say of proposal i."""
        return tuple(body.order[0, part * n + i] for part in range(3))

    def propose(i: Array, carry: tuple[Array, tuple[Array, ...]]) -> tuple[Array, tuple[Array, ...]]:
        count, (own, record, third) = carry
        following = entries(jnp.minimum(i + 1, n - 1))  # they arrive while this proposal is done
        if shape.scalar:
            hidden = lambda: scalar.flip_hidden(body, own, record, i)  # noqa: E731
            output = lambda: scalar.flip_output(body, record, third, i)  # noqa: E731
            is_output = own < 0
        else:
            hidden = lambda: vector.flip_hidden(body, own, record, third, i)  # noqa: E731
            output = lambda: vector.flip_output(body, own, record, i)  # noqa: E731
            is_output = own < outputs
        count += lax.cond(is_output, output, hidden) if shape.train_output else hidden()
        return count, following

    # A field counts to half of what it holds, then its number is added to a word of its own.
    step = bits - 1 if fields > 1 else 30
    begin, end = span[0, 1], span[0, 2]

    def some(c: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
        first = begin + (c << step)
        stop = jnp.minimum(first + (1 << step), end)
        count, _ = lax.fori_loop(first, stop, propose, (nothing, entries(first)))
        return tuple(total + part for total, part in zip(totals, _by_field(body, count), strict=True))

    chunks = (end - begin + ((1 << step) - 1)) >> step
    for f, total in enumerate(lax.fori_loop(0, chunks, some, (nothing,) * fields)):
        accepted[f] = total


def _by_field(body: Body, numbers: Array) -> list[Array]:
    """The number in each field, as words."""
    fields, bits = body.layout.fields, body.layout.bits
    if fields == 1:
        return [numbers]
    return [(numbers >> (bits * f)) & ((1 << bits) - 1) for f in range(fields)]


def _wrong_outputs(body: Body, wrong) -> None:
    shape, fields, words = body.shape, body.layout.fields, body.layout.words
    nothing = jnp.zeros(body.layout.row, jnp.int32)

    def output(o: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
        def add(word: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
            if shape.scalar:
                base = planes_begin(body) + word
                planes = [body.kept[base + p * words] for p in range(shape.K.bit_length())]
                answer = bitwise.at_least(planes, (shape.K + 1) // 2)
            else:
                answer = majority(body, of_record(body, o * (shape.d * words), word), shape.d)
            numbers = bitwise.field_sums([answer & body.mask[word]], fields, 1)
            return tuple(t + n for t, n in zip(totals, _by_field(body, numbers), strict=True))

        return lax.fori_loop(0, words, add, totals)

    totals = lax.fori_loop(0, shape.M, output, (nothing,) * fields)
    for f, total in enumerate(totals):
        wrong[f] = summed(body, total)


def _call(size: Size, run, taking: dict, giving: dict, aliases: dict[str, str]) -> dict:
    """Call the kernel run(references by name) with named arrays; returns those of `giving`."""
    target, shape, of = size.target, size.shape, size.layout
    tables = {"span": 0, "order": size.blocks, "sources": size.blocks, "readers": size.blocks}
    single = {"key", "limits", "accepted"}

    def spec(name: str, rows: int) -> pl.BlockSpec:
        row = of.single if name in single else of.row
        return pl.BlockSpec((rows, *row), lambda g: (0, *(g if i == of.axis else 0 for i in range(len(row)))))

    def array(name: str, rows: int) -> jax.ShapeDtypeStruct:
        row = of.single if name in single else of.row
        return jax.ShapeDtypeStruct((rows, *of.many(row, size.programs)), jnp.int32)

    in_specs = []
    for name, value in taking.items():
        if name in tables:
            in_specs.append(targets.table_spec(target, value.shape[-1], tables[name] or size.programs))
        else:
            in_specs.append(spec(name, value.shape[0]))
    w_rows, v_rows = layout.weight_rows(shape, of)
    given_rows = {"w_out": w_rows, "v_out": v_rows, "accepted": of.fields}
    out_names = list(giving)
    outputs = {name: given_rows[name] for name in out_names}
    kept = _kept(shape, of)
    room = {name: targets.scratch(target, rows, of.row) for name, rows in kept.items()}
    as_outputs = [name for name, memory in room.items() if memory is None]
    names = [*taking, *out_names, *(name for name in room if name in as_outputs)]
    names += [name for name in room if name not in as_outputs]
    outputs |= {name: kept[name] for name in as_outputs}

    def kernel(*refs) -> None:
        run(dict(zip(names, refs, strict=True)))

    places = list(taking)
    results = pl.pallas_call(
        kernel,
        grid=(size.programs,),
        in_specs=in_specs,
        out_specs=[spec(name, rows) for name, rows in outputs.items()],
        out_shape=[array(name, rows) for name, rows in outputs.items()],
        scratch_shapes=[memory for memory in room.values() if memory is not None],
        input_output_aliases={
            places.index(a): out_names.index(b) for a, b in aliases.items() if a in taking and b in out_names
        },
        **targets.options(target),
    )(*taking.values())
    return dict(zip(outputs, results, strict=True))


def _kept(shape: Shape, of: Layout) -> dict[str, int]:
    """Rows of what a program keeps."""
    if shape.scalar:
        weights = layout.weight_rows(shape, of)[1] * of.bits if shape.train_output else 0
        links = (shape.hidden_links + shape.K.bit_length()) * of.words + weights
        return {"kept": links, "answers": 1}
    kept = {"kept": (shape.hidden_links + shape.output_links) * of.words, "answers": shape.M}
    kept |= {"hidden": shape.K, "taught": shape.K}
    return kept if words_written_out(shape, of) else kept | {"flips": of.words}
