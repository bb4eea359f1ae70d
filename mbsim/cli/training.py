"""What `mbsim run` says and does: plan, progress, m_c and its figure; after an interruption, how to go on.

Everything that the run leaves is in its folder: the units of work, and the figure.
"""

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from mbsim.cli import terminal
from mbsim.cli.drawing import DrawingError, picture, sound
from mbsim.cli.exit_codes import DONE, FAILED, INTERRUPTED
from mbsim.config.configuration import Config, RelativeM
from mbsim.data.configs import CONFIG, holds_run, read_config, strangers
from mbsim.data.dataset import open_run
from mbsim.data.files import one_line_errors, write_atomically
from mbsim.data.store import FIGURE, RunFolder
from mbsim.errors import NO_ROOM, RunFolderError
from mbsim.plan.notes import without_effect
from mbsim.plan.parts import Part
from mbsim.plan.units import students_of, units
from mbsim.running import runner, status
from mbsim.running.crew import SchedulerLost
from mbsim.running.display import best_display
from mbsim.running.interrupts import Interrupted
from mbsim.running.progress import Progress
from mbsim.text import counted, duration, si

MOST_FAILURES = 10  # to name one by one
MOST_PANELS = 36  # in the figure
MOST_VALUES = 6  # of a dimension, to name one by one


class Watch:
    """Listens to a run: says at first what will be done, then shows how it goes."""

    def __init__(self, config: Config, path: Path, part: Part | None = None, dask: str | None = None):
        self.config, self.path, self.part = config, path, part
        self.where = f"workers of {dask}" if dask else ""  # if not here
        self.before = held(path)
        self.first: Progress | None = None
        self.newest: Progress | None = None
        self.display = best_display()
        self.started = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Take a report of the runner."""
        self.newest = progress
        if self.first is None:
            self.first = progress
            say_plan(self.config, self.path, progress, False, self.part, self.before, self.where)
        if self.first.units_done < self.first.units:
            self.display.show(progress)

    def safe(self) -> str:
        """What need not be computed again."""
        if self.newest is None:
            return "nothing new was computed"
        return f"{self.newest.units_done} of {counted(self.newest.units, 'unit')} are done and safe"

    def summary(self) -> str:
        """What was computed, in which time; empty if nothing was."""
        if self.first is None or self.newest is None or self.newest.units_done == self.first.units_done:
            return ""
        trained = counted(self.newest.units_done - self.first.units_done, "unit")
        elapsed = duration(time.monotonic() - self.started)
        work = self.config.rule.work.many
        rate = f"; training alone {si(self.newest.rate)} {work}/s" if self.newest.rate else ""
        return f"trained {trained} in {elapsed}{rate}"


def train(
    config: Config, path: Path, command: Sequence[str], dask: str | None = None, part: Part | None = None
) -> int:
    """Run the configuration into the folder `path`, then print m_c; returns the exit code.

    Args:
        config: what to run.
        path: the run folder.
        command: the words of the command that goes on from here.
        dask: address of the scheduler whose workers compute, if not this process.
        part: which of the units this process computes, if not all.
    """
    watch = Watch(config, path, part, dask)
    failures: tuple[str, ...] = ()
    try:
        try:
            runner.train(config, path, report=watch, dask=dask, label="--dask", part=part)
        except runner.UnitsFailed as error:
            failures = error.lines
        finally:
            watch.display.close()
        terminal.say(watch.summary())
        left = 0 if part is None else RunFolder.open(path).unrecorded()
        if left:
            units = counted(left, "unit")
            terminal.say(f"{part} is done; other parts have {units} to go, and the last one prints m_c")
        else:
            say_results(open_run(path, over_time=False), path, draw=bool(watch.summary()))
    except Interrupted as error:
        return _interrupted(f"interrupted by {error.reason}", watch, command)
    except SchedulerLost as error:
        return _interrupted(f"error: {error}", watch, command)
    except runner.DiskFull as error:
        return _interrupted(f"error: {error}", watch, command)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        return _interrupted(f"error: {runner.DiskFull.at(path / FIGURE, error)}", watch, command)
    if not failures:
        return DONE
    for line in failures[:MOST_FAILURES]:
        terminal.note(f"error: {line}")
    if (more := len(failures) - MOST_FAILURES) > 0:
        terminal.note(f"error: and {more} more")
    terminal.note(
        f"{counted(len(failures), 'unit')} failed; {watch.safe()} in {path}; "
        f"to try the failed ones again: {shlex.join(command)}"
    )
    return FAILED


def _interrupted(reason: str, watch: Watch, command: Sequence[str]) -> int:
    terminal.note(f"{reason}: {watch.safe()} in {watch.path}")
    terminal.note(f"go on with: {shlex.join(command)}")
    return INTERRUPTED


def rehearse(config: Config, path: Path, part: Part | None = None) -> None:
    """Say what `train` would do, or raise what it would raise before it computes; writes nothing."""
    runner.check(config)
    before, seconds = held(path), None
    if before is not None:
        folder = RunFolder.create_or_open(path, config)
        mine = folder.units if part is None else part.of(folder.units)
        todo = folder.missing(mine)
        progress = runner.outset(config, mine, todo, folder.damaged(todo))
        if rate := status.rate(folder, set(mine) - set(todo)):
            seconds = (progress.proposals - progress.proposals_done) / rate
    elif _holds_something(path):
        raise RunFolderError(f"{path} is there but holds no run: choose an empty or a new folder")
    elif part is None:
        progress = runner.outset_of_new(config)
    else:
        mine = part.of(units(config))
        progress = runner.outset(config, mine, mine)
    say_plan(config, path, progress, dry=True, part=part, before=before)
    if progress.units_done < progress.units and seconds is not None:
        terminal.say(f"at the rate of what is done: {duration(seconds)} more")
    elif progress.units_done < progress.units:
        terminal.say(
            "how long it takes is not known before units are computed here: ask then, or `mbsim status`"
        )
    terminal.say("nothing was computed or written (--dry-run)")


def _holds_something(path: Path) -> bool:
    """Whether there is a file, or a folder with anything that is not of a run."""
    with one_line_errors(RunFolderError, f"{path} cannot be used as a run folder"):
        return path.is_file() or (path.is_dir() and bool(strangers(path)))


def held(path: Path) -> Config | None:
    """The configuration that the folder has; None where there is no run."""
    with one_line_errors(RunFolderError, f"{path} cannot be used as a run folder"):
        return read_config(path / CONFIG) if holds_run(path) else None


def say_plan(
    config: Config,
    path: Path,
    progress: Progress,
    dry: bool,
    part: Part | None = None,
    before: Config | None = None,
    where: str = "",
) -> None:
    """Model and grid, how much work that is, and what of it is to be done, where: on the devices here, by default.

    before: the configuration that the folder had, if any, before this run.
    """
    grid = config.grid
    dimensions = [
        f"{name} = {_listed(values)}{unit}"
        for name, (values, unit) in _dimensions(config).items()
        if getattr(grid, name) is not None
    ]
    named = config.model.kind_name + ("" if config.dynamics.rule is None else f" by {config.rule.title}")
    terminal.say(f"{config.name}: {named}, {'; '.join(dimensions)}")
    rule, work = config.rule, counted(progress.units, "unit")
    students = counted(students_of(config), "student")
    share = "" if part is None else f", of which {part} has"
    teachers = counted(len(grid.N) * len(grid.d) * grid.teachers, "teacher")
    terminal.say(
        f"{students} of {teachers}, {config.dynamics.length:,} {rule.time.many}{share}: "
        f"{si(progress.proposals)} {rule.work.many} in {work} of work"
    )
    if not progress.units:
        terminal.say(f"{path}: there are fewer units than parts, and none is left for {part}")
        return
    if progress.units_done == progress.units:
        done = f"all {work} are" if progress.units > 1 else "its one unit is"
        terminal.say(f"{path}: {done} done, nothing to compute")
        return
    state = "a new run"
    if before is not None:
        verb = "are" if progress.units > 1 else "is"
        state = f"{progress.units_done} of {work} {verb} done, {progress.units - progress.units_done} to go"
    if before is not None and before.hash != config.hash:
        state = f"grows by {growth(before, config)}: {state}"
    if progress.damaged:
        state += f", {progress.damaged} of them because it was damaged"
    terminal.say(f"{path}: {state}" + ("" if dry else f", on {where or _devices()}"))
    for line in without_effect(config):
        terminal.note(f"note: {line}")


def growth(before: Config, config: Config) -> str:
    """What the grid has and that of a smaller configuration has not, such as "m = 9, 27; teachers from 4 to 8"."""
    told = []
    old = _dimensions(before)
    for name, (values, unit) in _dimensions(config).items():
        if more := [value for value in values if value not in old[name][0]]:
            told.append(f"{name} = {_listed(more)}{unit}")
    for name in ("teachers", "replicas"):
        fewer, many = getattr(before.grid, name), getattr(config.grid, name)
        if many > fewer:
            told.append(f"{name} from {fewer} to {many}")
    return "; ".join(told) or "nothing, said in other words"


def _dimensions(config: Config) -> Mapping[str, tuple[Sequence[float], str]]:
    """The values of N, d, m and the rule's axes, and in which unit they are."""
    grid = config.grid
    if isinstance(grid.m, RelativeM):
        m = grid.m.values, f" times {grid.m.unit}"
    else:
        assert isinstance(grid.m, tuple)  # a range was expanded when it was read
        m = grid.m, ""
    return {"N": (grid.N, ""), "d": (grid.d, ""), "m": m} | {
        name: (values, "") for name, values in config.axes.items()
    }


def say_results(dataset: xr.Dataset, path: Path, draw: bool) -> None:
    """m_c as a table, and where dataset and figure are; the figure is drawn if asked, missing, damaged or
    that of a smaller run.
    """
    from mbsim.fss.analysis import at_a_glance

    critical = at_a_glance(dataset)
    terminal.print_critical(critical)
    figure = path / FIGURE
    panels = len(
        {tuple(value for name, value in record.labels.items() if name != "N") for record in critical}
    )
    if panels > MOST_PANELS:
        terminal.say(
            f"no figure: {panels} panels are too many; select, then mbsim.figures.order_parameter_panels"
        )
    else:
        try:
            if draw or not sound(figure, dataset.attrs["config_hash"]):
                drawn = picture(dataset, critical)
                with one_line_errors(DrawingError, f"{figure} cannot be written"):
                    write_atomically(figure, drawn)
            terminal.say(f"figure: {figure}")
        except DrawingError as error:  # what was trained is there, and no figure is worth an exit code
            terminal.note(f"note: no figure: {error}")
    terminal.say(f"order of the transition and its evidence: mbsim report {shlex.quote(str(path))}")
    terminal.say(f"dataset: mbsim.open_run({str(path)!r}), or mbsim export {shlex.quote(str(path))} FILE.nc")


def _devices() -> str:
    from mbsim.running.doctor import device_line

    return device_line()


def _listed(values: Sequence[float]) -> str:
    """All values of a dimension, or a few and how many."""
    texts = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    if len(texts) <= MOST_VALUES:
        return ", ".join(texts)
    return f"{texts[0]}, {texts[1]}, ..., {texts[-1]} ({len(texts)} values)"
