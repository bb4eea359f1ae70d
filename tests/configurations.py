"""Small configurations that are right, and a way to make wrong ones of them."""

import copy

VECTOR = {"model": "sparse-vector", "grid": {"N": [64, 128], "d": [3, 5], "m": [4, 8]}}
SCALAR = {"model": "sparse-scalar", "grid": {"N": [31, 63], "d": [3], "m": [32]}}


def changed(base, **values):
    """A copy of `base` with `table__key=value` or `key=value` written in; the value ... removes the key."""
    result = copy.deepcopy(base)
    for path, value in values.items():
        *tables, key = path.split("__")
        table = result
        for name in tables:
            table = table.setdefault(name, {})
        if value is ...:
            del table[key]
        else:
            table[key] = value
    return result
