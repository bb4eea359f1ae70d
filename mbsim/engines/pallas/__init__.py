"""Metropolis for ±1 weights on GPUs and TPUs: the proposals of a sweep are one kernel (see `kernels.py`)."""
