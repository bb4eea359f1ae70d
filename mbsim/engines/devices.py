"""Devices: all cores, decided before JAX starts, and the memory of one.

On CPU, JAX is one device with a pool of threads, which small operations cannot fill. One device a core fills
them: students are split over devices, and each device runs its own program. The number can only be chosen before
the backend starts.
"""

import os

import jax


def use_all_cores() -> None:
    """Make every core that this process may use one CPU device, unless JAX runs already or the user chose a
    number.
    """
    chosen = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if chosen or jax.config.jax_num_cpu_devices != -1:  # type: ignore[attr-defined]
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        jax.config.update("jax_num_cpu_devices", cores)
    except RuntimeError:  # the backend runs already: its devices are what there is
        return


def available_bytes(device: jax.Device) -> int:
    """Memory that a device may hand out; of a CPU, its share of half the host's free memory."""
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(0.9 * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    return free // 2 // max(1, jax.local_device_count())
