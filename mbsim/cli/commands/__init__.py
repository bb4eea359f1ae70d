"""The commands, one file each: what its arguments are, and what it calls.

Each function returns the exit code. Whatever takes long to import is imported inside it, so that help and
usage errors come at once; what takes more than a few lines stands in a module of its own beside this folder.
"""
