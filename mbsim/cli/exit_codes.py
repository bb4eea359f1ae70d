"""What the exit code of the command line means."""

DONE = 0
FAILED = 1  # some units of work, or a check, failed
USAGE = 2  # wrong usage or configuration; nothing was written
INTERRUPTED = 75  # by a signal or a full disk; the same command goes on
