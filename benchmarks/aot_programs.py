"""Reading compiled programs: launches of an XLA module, Hopper machine code, bundles of a TPU's schedule."""

import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

VERSIONS = ("jax", "jaxlib", "jax-cuda13-plugin", "libtpu", "triton")


def installed(name: str) -> bool:
    """Whether a distribution is there."""
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


class Launches(NamedTuple):
    """Kernels of a call; how many of them are Pallas kernels; loops whose end the host must read."""

    kernels: int
    own: int
    waits: int


LAUNCHED = re.compile(r"= .*? (fusion|custom-call|copy|copy-start|sort|dynamic-update-slice|dynamic-slice)\(")
CALLED = re.compile(r"\b(?:body|to_apply|calls)=%?([\w.\-]+)")
OWN = ("__gpu$xla.gpu.triton", "tpu_custom_call")


def launches(text: str) -> Launches:
    """Count in the text of an optimised module."""
    computations: dict[str, list[str]] = {}
    lines: list[str] = []
    entry = ""
    for line in text.splitlines():
        head = re.match(r"(ENTRY )?%?([\w.\-]+) (?:\(.*\) -> .* )?\{", line)
        if head:
            lines = computations.setdefault(head[2], [])
            entry = head[2] if head[1] else entry
        else:
            lines.append(line)

    def count(name: str) -> Launches:
        kernels = own = waits = 0
        for line in computations.get(name, []):
            times = 1
            if re.search(r" (while|call|conditional)\(", line):
                if " while(" in line:
                    known = re.search(r'known_trip_count[^0-9]*"?(\d+)', line)
                    times = int(known[1]) if known else 1
                    waits += not known
                for inner in CALLED.findall(line):
                    more = count(inner)
                    kernels, own = kernels + times * more.kernels, own + times * more.own
                    waits += times * more.waits
            elif LAUNCHED.search(line):
                target = re.search(r'custom_call_target="([^"]+)"', line)
                mine = bool(target and target[1] in OWN)
                if target and not mine:
                    continue  # marks of the compiler, not kernels
                kernels, own = kernels + 1, own + mine
        return Launches(kernels, own, waits)

    return count(entry)


def of_a_step(text: str) -> int:
    """Kernels of one turn of the innermost loop that has most of them."""
    bodies = {name: "" for name in re.findall(r" while\(.*?body=%?([\w.\-]+)", text)}
    current = ""
    for line in text.splitlines():
        head = re.match(r"(?:ENTRY )?%?([\w.\-]+) (?:\(.*\) -> .* )?\{", line)
        current = head[1] if head else current
        if current in bodies:
            bodies[current] += line + "\n"
    innermost = [body for body in bodies.values() if " while(" not in body]
    return max(sum(bool(LAUNCHED.search(line)) for line in body.splitlines()) for body in innermost)


class Hopper(NamedTuple):
    """Instructions and loads on each way through a proposal, shortest first; of the other loops in the order of the
    code; registers; what must not be.
    """

    paths: list[tuple[int, int]]
    loops: list[int]
    registers: int
    faults: list[str]

    @property
    def mean(self) -> float:
        """Instructions of a proposal."""
        return sum(n for n, _ in self.paths) / max(1, len(self.paths))


def hopper(lowered, folder: Path, loop: int | None) -> Hopper:
    """The machine code for sm_90 of the Triton kernel in a lowered program.

    loop: which of its innermost loops is that over proposals; None: the longest.
    """
    import triton
    from jaxlib.mlir import ir
    from jaxlib.triton import dialect
    from triton.backends.compiler import GPUTarget
    from triton.compiler import compile as to_code

    def calls(operation):
        for region in operation.regions:
            for block in region.blocks:
                for op in block.operations:
                    if (
                        op.operation.name == "stablehlo.custom_call"
                        and "mhlo.backend_config" in op.attributes
                    ):
                        yield op
                    yield from calls(op.operation)

    # The kernel of the proposals is the largest: orders of training sets have one too.
    found = calls(lowered.compiler_ir("stablehlo").operation)
    code = max((call.attributes["mhlo.backend_config"]["ir"].value_bytes for call in found), key=len)
    context = ir.Context()
    dialect.register_dialect(context)
    context.load_all_available_dialects()
    with context:
        (folder / "kernel.ttir").write_text(ir.Module.parse(code).operation.get_asm())
    target, options = GPUTarget("cuda", 90, 32), {"num_warps": 1, "num_stages": 1}
    kernel = to_code(str(folder / "kernel.ttir"), target=target, options=options)
    (folder / "kernel.cubin").write_bytes(kernel.asm["cubin"])
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/nvdisasm"
    command = [tool, "-c", folder / "kernel.cubin"]
    return _hopper(subprocess.run(command, capture_output=True, text=True, check=True).stdout, loop)


def _hopper(text: str, loop: int | None) -> Hopper:
    blocks, after = _blocks(text)
    everything = [line for block in blocks for line in block]
    registers = 1 + max(int(r) for line in everything for r in re.findall(r"\bR(\d+)\b", line))
    found = {"barriers": r"\bBAR\b", "spills": r"\b(LDL|STL)\b"}
    counts = {name: sum(bool(re.search(p, line)) for line in everything) for name, p in found.items()}
    loops = [(to, i) for i, nexts in enumerate(after) for to in nexts if to <= i]
    inner = [(a, b) for a, b in loops if not any((a, b) != (c, d) and a <= c and d <= b for c, d in loops)]

    def size(a: int, b: int) -> int:
        return sum(len(block) for block in blocks[a : b + 1])

    inner = sorted(span for span in inner if size(*span) > 1)  # behind the end there is a jump to itself
    first, last = max(inner, key=lambda span: size(*span)) if loop is None else inner[loop]
    paths: list[tuple[int, int]] = []

    def walk(at: int, count: int, loads: int) -> None:
        count += len(blocks[at])
        loads += sum("LDG" in line for line in blocks[at])
        if first in after[at]:
            paths.append((count, loads))
        for to in after[at]:
            if at < to <= last:
                walk(to, count, loads)

    walk(first, 0, 0)
    others = [size(*span) for span in inner if span != (first, last)]
    return Hopper(sorted(set(paths)), others, registers, [f"{n} {name}" for name, n in counts.items() if n])


def _blocks(text: str) -> tuple[list[list[str]], list[list[int]]]:
    """Straight pieces of code, and which may come next."""
    blocks: list[list[str]] = [[]]
    labels: dict[str, int] = {}
    for line in text.splitlines():
        label = re.match(r"(\.L_\w+):", line)
        if label:
            if blocks[-1]:
                blocks.append([])
            labels[label[1]] = len(blocks) - 1
        elif re.search(r"/\*[0-9a-f]{4,5}\*/ ", line):
            blocks[-1].append(line)
            if re.search(r"\b(BRA|EXIT)\b", line):
                blocks.append([])
    after: list[list[int]] = []
    for i, block in enumerate(blocks):
        last = block[-1] if block else ""
        jump = re.search(r"`\((\.L_\w+)\)", last) if "BRA" in last else None
        nexts = [labels[jump[1]]] if jump and jump[1] in labels else []
        always = jump is not None and not re.search(r"@!?U?P\d|BRA\.\w+ !?U?P|BRA !?U?P\d", last)
        if i + 1 < len(blocks) and not always and "EXIT" not in last:
            nexts.append(i + 1)
        after.append(nexts)
    return blocks, after


def in_words(code: Hopper, proposals: int, turns: tuple[int, int]) -> str:
    """A proposal's instructions, and those of the whole sweep; turns of loops over hidden units, over outputs."""
    ways = " and ".join(f"{count} ({loads})" for count, loads in code.paths)
    text = f"{ways} instructions, {code.registers} registers"
    if len(code.loops) == 4:  # unfold hidden units, outputs; fold hidden units, outputs
        around = sum(turns[i % 2] * n for i, n in enumerate(code.loops)) / proposals
        text += f"; whole sweep {code.mean + around:.0f}"
    return text


def bundles(files: set[Path]) -> list[int] | None:
    """Bundles on each way through a proposal; None where a proposal has loops of its own.

    Proposals are the longest of the innermost loops of the kernel. Where output weights are trained, its body is:
    look-up and jump, an output link, a second jump, a hidden link, the end.
    """
    final = [f for f in files if f.name.endswith("final_bundles.txt") and "analysis" not in f.name]
    text = max((f.read_text() for f in final), key=lambda text: text.count(": >>> ") + text.count(": >>>> "))
    found = re.findall(r"^ *(0x[0-9a-f]+) +(?:(LB|PF|LH))?: *(>*)(.*)$", text, re.M)
    lines = [(int(at, 16), mark, len(depth), rest) for at, mark, depth, rest in found]
    if any(depth > 3 for _, _, depth, _ in lines):
        return None
    loops = []
    for i, (_, mark, depth, _) in enumerate(lines):
        if mark == "LB" and depth == 3:
            after = (
                j
                for j in range(i + 1, len(lines))
                if lines[j][1] and (lines[j][2] < 3 or lines[j][1] == "LB")
            )
            loops.append((i, next(after)))
    begin, stop = max(loops, key=lambda loop: lines[loop[1]][0] - lines[loop[0]][0])
    body = lines[begin:stop]
    start, end = body[0][0], lines[stop][0]
    parts = [at for at, mark, depth, _ in body[1:] if mark == "PF" and depth == 3]
    if len(parts) < 2:
        return [end - start]
    jump = 5  # a jump and the four bundles behind it
    header = next(at for at, _, _, rest in body if "sbr.rel" in rest) + jump - start
    output, hidden, tail = parts[0] - start, parts[-1] - parts[0], end - parts[-1]
    return [output + jump + tail, header + hidden + tail]
