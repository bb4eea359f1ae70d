"""Numbers, times and tables as text that people read."""

from collections.abc import Sequence

PREFIXES = ("", " k", " M", " G", " T", " P", " E")


def si(number: float) -> str:
    """Three digits and a prefix: 1530 is "1.53 k", 2.1e8 is "210 M".

    >>> si(999), si(1530), si(999_600), si(2.1e8)
    ('999', '1.53 k', '1.00 M', '210 M')
    """
    power = 0
    while number >= 999.5 and power < len(PREFIXES) - 1:
        number, power = number / 1000, power + 1
    whole = power == 0 and number == int(number)
    decimals = 0 if whole or number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:.{decimals}f}{PREFIXES[power]}"


def duration(seconds: float) -> str:
    """A time in two units at most: 75 is "1 min 15 s".

    >>> duration(0.4), duration(75), duration(3700), duration(200_000)
    ('less than 1 s', '1 min 15 s', '1 h 1 min', '2 d 7 h')
    """
    if seconds < 1:
        return "less than 1 s"
    whole = round(seconds)
    for large, small, name, smaller in ((86400, 3600, "d", "h"), (3600, 60, "h", "min"), (60, 1, "min", "s")):
        if whole >= large:
            rest = whole % large // small
            return f"{whole // large} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def counted(number: int, name: str) -> str:
    """A number with its noun: "1 unit", "1,024 units"."""
    return f"{number:,} {name}" + ("" if number == 1 else "s")


def aligned(rows: Sequence[Sequence[object]]) -> str:
    """Rows as lines, columns aligned to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)
