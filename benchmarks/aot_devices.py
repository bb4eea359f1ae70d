"""Devices that are not there, described so that XLA compiles for them."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import jax
import numpy as np
from jax.experimental import topologies

NAMES = {"gpu": "H100", "tpu": "TPU v5e"}
PLATFORMS = {"gpu": "cuda", "tpu": "tpu"}
WHEELS = {"gpu": "jax-cuda13-plugin", "tpu": "libtpu"}
TPU_CLOCK = 1.5e9
DUMP = Path(tempfile.mkdtemp(prefix="mbsim-aot-"))
"""Where the compiler for TPUs leaves its schedules, gigabytes of them."""
atexit.register(shutil.rmtree, DUMP, ignore_errors=True)

H100 = """gpu_device_info { threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152
  shared_memory_per_core: 233472 threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535 memory_bandwidth: 3352320000000
  l2_cache_size: 52428800 clock_rate_ghz: 1.98 device_memory_size: 84942979072 shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 } registers_per_core_limit: 65536 registers_per_block_limit: 65536
  thread_dim_limit_x: 1024 thread_dim_limit_y: 1024 thread_dim_limit_z: 64 device_vendor: "NVIDIA Corporation"
  platform_version: "Compute Capability 9.0" device_address_bits: 64 name: "NVIDIA H100 80GB HBM3"
  driver_version: "13.0.0" runtime_version: "13.0.0" compile_time_toolkit_version: "13.0.0" dnn_version: "9.10.0" }
platform_name: "CUDA" dnn_version_info { major: 9 minor: 10 patch: 0 }
  device_description_str: "NVIDIA H100 80GB HBM3" """


def prepare(dump: bool = True) -> None:
    """Tell the plugins, before they start, that there is no device; dump: whether the compiler for TPUs leaves its
    schedules, which takes it several times as long where there are products of matrices.
    """
    jax.config.update("jax_platforms", "cpu")
    os.environ |= {
        "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1",
        "TPU_SKIP_MDS_QUERY": "1",
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        "LIBTPU_INIT_ARGS": f"--xla_jf_dump_to={DUMP} --xla_jf_dump_llo_text=true" if dump else "",
    }


def mesh_for(kind: str) -> jax.sharding.Mesh:
    """One described device."""
    if kind == "gpu":
        described = topologies.get_topology_desc(
            "h100", platform="cuda", topology="1x1x1", target_config=H100
        )
    else:
        described = topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x2")
    return jax.sharding.Mesh(np.array(described.devices[:1]), ("student",))
