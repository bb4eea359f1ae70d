"""The wheels that compile for devices that are not there, as pip takes them: those that belong to the installed jax.

    pip install --no-deps $(python benchmarks/aot_wheels.py)

None of CUDA's own libraries is needed, hence --no-deps.
"""

import re
from importlib import metadata

jax = metadata.version("jax")
pinned = next(text for text in metadata.requires("jax") or [] if text.startswith("libtpu"))
libtpu = re.sub(r"[\s;].*|[()]", "", pinned.replace(" ", "", 1))
print(f"jax-cuda13-plugin=={jax}", f"jax-cuda13-pjrt=={jax}", libtpu, "triton==3.9.0", sep="\n")
