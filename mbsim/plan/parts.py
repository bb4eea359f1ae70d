"""Which share of a run's work units a process takes, when several share one folder: a job array, or many hosts."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mbsim.errors import ConfigError
from mbsim.plan.units import Unit

COUNT = "MBSIM_PARTS"  # how many there are, where the batch system does not say
TEXT = re.compile(r"(\d{1,9})/(\d{1,9})")


@dataclass(frozen=True)
class Part:
    """Part `index`, from 1, of `count`."""

    index: int
    count: int

    def of(self, units: Sequence[Unit]) -> Sequence[Unit]:
        """Every `count`-th unit, so that each part has some of every size.

        Example:
            >>> Part(2, 3).of("abcdefg")
            'be'
        """
        return units[self.index - 1 :: self.count]

    def __str__(self) -> str:
        return f"part {self.index} of {self.count}"


def part_of(text: str, label: str = "part", environment: Mapping[str, str] = os.environ) -> Part:
    """The part that a text names: "3/16", or "auto", which asks the batch system.

    Slurm: the task of a job array (SLURM_ARRAY_TASK_ID among SLURM_ARRAY_TASK_COUNT), or the task of a job step
    (SLURM_PROCID among SLURM_NTASKS; in an array, among those that srun starts in each of its tasks,
    SLURM_STEP_NUM_TASKS). PBS: PBS_ARRAY_INDEX (of Torque: PBS_ARRAYID), among MBSIM_PARTS, which PBS does not
    tell.

    Raises:
        ConfigError: the text is neither, or no batch system says which part it is.

    Example:
        >>> slurm = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "4", "SLURM_ARRAY_TASK_COUNT": "8"}
        >>> print(part_of("auto", environment=slurm))
        part 4 of 8
    """
    if text == "auto":
        return _automatic(label, environment)
    found = TEXT.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigError(f'{label} {text!r}: must be i/n with 1 <= i <= n, such as 3/16, or "auto"')
    return Part(int(found[1]), int(found[2]))


def _automatic(label: str, environment: Mapping[str, str]) -> Part:
    def number(name: str, default: int | None = None) -> int | None:
        value = environment.get(name)
        if value is None:
            return default
        if not value.isdecimal():
            raise ConfigError(f"{label} auto: {name} = {value!r}: must be an integer")
        return int(value)

    index, first, step = number("SLURM_ARRAY_TASK_ID"), number("SLURM_ARRAY_TASK_MIN", 0), 1
    count = number("SLURM_ARRAY_TASK_COUNT")
    if index is not None and count:
        last = number("SLURM_ARRAY_TASK_MAX")
        if last is not None and count > 1:
            step, rest = divmod(last - (first or 0), count - 1)  # of --array=0-30:2
            if rest or step < 1 or (index - (first or 0)) % step:
                raise ConfigError(
                    f"{label} auto: the {count} tasks of this array, {first} to {last}, are not evenly spaced: "
                    "submit a range, such as --array=1-16, or give i/n"
                )
    else:
        index, first, count = number("PBS_ARRAY_INDEX", number("PBS_ARRAYID")), 1, number(COUNT)
        if index is not None and not count:
            raise ConfigError(f"{label} auto: PBS does not say how many parts there are: set {COUNT}")
    if index is None:
        index, first, count = number("SLURM_PROCID"), 0, number("SLURM_NTASKS")
    if index is None or not count:
        raise ConfigError(
            f"{label} auto: no job array of Slurm or PBS here (SLURM_ARRAY_TASK_ID, PBS_ARRAY_INDEX); give i/n"
        )
    place = (index - (first or 0)) // step + 1
    if not 1 <= place <= count:
        raise ConfigError(f"{label} auto: task {index} is not among {count} parts that begin with {first}")
    processes, mine = number("SLURM_STEP_NUM_TASKS", 1) or 1, number("SLURM_PROCID", 0) or 0
    if number("SLURM_ARRAY_TASK_ID") is not None and mine < processes:  # srun starts several in each task
        return Part((place - 1) * processes + mine + 1, count * processes)
    return Part(place, count)
