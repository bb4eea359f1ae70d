"""What the help of `mbsim` and of `mbsim run` teaches: paragraphs, and lines kept as they are (backspace).

The keys that rules, students and teachers have are told as these declare them.
"""

from collections.abc import Iterable
from typing import Any

HELP = """\
How large must the mini-batch be for a two-layer network to learn its teacher?

mbsim trains thousands of students at once over a grid of sizes N, connectivities d and mini-batch sizes m,
keeps their order parameters in a labelled dataset, and finds the critical size m_c with its 95 % interval.

\b
A first run, and what to do with it:
  mbsim doctor                                   is this machine fit to run mbsim?
  mbsim run configs/quickstart.toml              train the grid into runs/quickstart
  mbsim status runs/quickstart                   how far it is, from another terminal
  mbsim analyze runs/quickstart --json           m_c for every (N, d)
  mbsim report runs/quickstart                   figures and verdict on one HTML page
  mbsim export runs/quickstart quickstart.nc     the dataset as one file

\b
The same from Python:
  import mbsim
  ds = mbsim.run("configs/quickstart.toml", "runs/quickstart")
  ds = mbsim.open_run("runs/quickstart")         # or what is there already
  mbsim.fss.midpoint(ds)

\b
Exit codes:
  0   done
  1   some units of work, or a check, failed
  2   wrong usage or configuration; nothing was written
  75  interrupted (Ctrl-C, SIGTERM, full disk); the same command goes on
"""

RUN_INTRODUCTION = """\
Train the grid of a configuration, or what is missing of it, and print m_c.

The folder receives each unit of work as it finishes, and a figure. If it holds part of the same run, or one of a
smaller grid, only what is missing or damaged is computed. Stop a run whenever you like, with Ctrl-C, SIGTERM or even
SIGKILL: the same command goes on, and the dataset is the same to the last bit.

\b
The least that a configuration needs:
  model = "sparse-vector"         # or "sparse-scalar", "dense-vector", "dense-scalar"
  [grid]
  N = [64, 128]                   # inputs
  d = [3]                         # links into each unit, odd
  m = { start = 2, stop = 14 }    # mini-batch sizes; or a list; or in
                                  # other units: { unit = "N", values = [0.5, 1] }

"""


def run_help() -> str:
    """The help of `mbsim run`."""
    return RUN_INTRODUCTION + "\n".join(_keys()) + "\n"


def _keys() -> list[str]:
    import json  # here, as the rest: help of other commands needs none of it

    from mbsim.config.tables import TEACHER
    from mbsim.physics.keys import listed
    from mbsim.physics.rules import RULES, rules_for
    from mbsim.physics.students import STUDENTS

    def line(name: str, value: Any, comment: str = "", indent: str = "  ") -> str:
        text = f"{indent}{name} = {json.dumps(value)}"
        return f"{text:<34}# {comment}" if comment else text

    def told(key: Any) -> str:
        if key.default is None:
            return line(key.name, key.example, key.comment, "  # ")
        return line(key.name, key.default, key.comment)

    def keys_of(objects: Iterable[Any]) -> Iterable[str]:
        return map(told, {key.name: key for one in objects for key in one.keys}.values())

    flips, descents = rules_for("binary"), rules_for("real")
    real = [kind for kind in STUDENTS.values() if kind.weights == "real"]

    return [
        "\b",
        "What else it may say, with the defaults:",
        line("name", "sparse-vector", "the run folder is runs/NAME"),
        "  [grid]",
        line("teachers", 4, "draws of graph and teacher"),
        line("replicas", 32, "students of each teacher"),
        "  [dynamics]",
        line("rule", flips[0], f"or {listed(flips[1:])}"),
        *keys_of(RULES[name] for name in flips),
        "  [measure]",
        line("measurements", 32, "log-spaced times"),
        line("test_size", 256, "fresh examples at each; 4096 with one output"),
        line("observables", ["overlap"], "all that is measured, by name", "  # "),
        "  # [data]                        # a training set, in place of fresh examples:",
        line("examples", 10000, 'or { unit = "N*d", value = 10 }', "  # "),
        line("sampling", "epochs", 'or "with", "without" replacement', "  # "),
        "  [run]",
        line("seed", 1),
        line("engine", "reference", "by default the fastest that can do it", "  # "),
        "",
        "\b",
        "Dense models have real weights, trained by SGD. What theirs may say, with the defaults:",
        "  [model]                         # a table instead of a name: output, student, weights, and",
        line("hidden", 64, "hidden units of the teacher, instead of N", "  # "),
        told(TEACHER),
        line("train_output", True, "false fixes the output weights (committees)"),
        *keys_of(real),
        "  [dynamics]",
        *keys_of(RULES[name] for name in descents),
        "  [measure]",
        line("success_threshold", 0.01, "a student below this error has learned"),
    ]
