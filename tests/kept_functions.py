"""Functions to keep on disk, as one process after the other makes them."""

from numba.core import event

from mbsim.engines.registers import kept


def made_for(number):
    """A function that calls another, made as another process would make it."""

    @kept.inner
    def added(x):
        y = x
        for i in range(x):  # too much to be inlined
            y += number * (i + 1) if i % 3 else number
        return y

    @kept.kept
    def add(x):
        return added(x) + added(x + number)

    return add


def expected(number, x):
    def added(x):
        return x + sum(number * (i + 1) if i % 3 else number for i in range(x))

    return added(x) + added(x + number)


def compilations(function, *arguments):
    with event.install_recorder("numba:compile") as seen:
        result = function(*arguments)
    return len(seen.buffer) // 2, result  # each has a beginning and an end
