"""What the help of `mbsim` and of `mbsim run` teaches: paragraphs, and lines kept as they are (backspace)."""

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

RUN_HELP = """\
Train the grid of a configuration, or what is missing of it, and print m_c.

The folder receives one file for each unit of work as it finishes, and a figure. If it holds part of the same
run, only what is missing or damaged is computed. Stop a run whenever you like, with Ctrl-C, SIGTERM or even
SIGKILL: the same command goes on, and the dataset is the same to the last bit.

\b
The least that a configuration needs:
  model = "sparse-vector"         # or "sparse-scalar", "dense-vector", "dense-scalar"
  [grid]
  N = [64, 128]                   # inputs
  d = [3]                         # links into each unit, odd
  m = { start = 2, stop = 14 }    # mini-batch sizes; or a list; or in
                                  # other units: { unit = "N", values = [0.5, 1] }

\b
What else it may say, with the defaults:
  name = "sparse-vector"          # the run folder is runs/NAME
  [grid]
  teachers = 4                    # draws of graph and teacher
  replicas = 32                   # students of each teacher
  [dynamics]
  sweeps = 300
  order = "random"                # or "sequential"
  refresh = "sweep"               # or a fresh mini-batch after so many proposals
  temperature = 0.0               # a list of temperatures goes in [grid]
  init_overlap = 0.0              # 1.0 starts at the teacher; a list goes in [grid]
  [measure]
  measurements = 32               # log-spaced times
  test_size = 256                 # fresh examples at each; 4096 with one output
  # [data]                        # a training set, in place of fresh examples:
  # examples = 10000              # or { unit = "N*d", value = 10 }
  # sampling = "epochs"           # or "with", "without" replacement
  [run]
  seed = 1

\b
Dense models have real weights, trained by SGD. What theirs may say, with the defaults:
  [model]                         # a table instead of a name: output, student, weights, and
  # hidden = 64                   # hidden units of the teacher, instead of N
  # student_hidden = 128          # those of the student, instead of the teacher's
  train_output = true             # false fixes the output weights (committees)
  teacher_weights = "sign"        # or "normal"
  activation = "tanh"             # "erf", "relu", "linear"
  scaling = "standard"            # or "ntk"
  inputs = "sign"                 # or "normal"
  noise = 0.0                     # of the labels
  [dynamics]
  steps = 1000
  optimizer = "sgd"               # or "adam"
  momentum = 0.0
  lr = 0.1                        # a list of learning rates goes in [grid]
  lr_scaling = "constant"         # with m: "linear", "sqrt"
  lr_multipliers = "none"         # or "mup"
  [measure]
  success_threshold = 0.01        # a student below this error has learned
"""
