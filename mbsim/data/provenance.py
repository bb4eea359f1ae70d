"""Where numbers come from: the attributes that every file and every dataset of mbsim carries.

What the configuration says (`config` as JSON, `config_hash`, `name`, `model`, `rule`, `seed`) is the same for all
units of a run. What computed them (`FIELDS`: versions, device, flags of its compiler, engine, generator,
commit) may differ from unit to unit when a run is resumed elsewhere; `joined` then keeps the distinct values. Every
value but `seed` is text, "" where not known.
"""

import functools
import importlib.metadata
import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mbsim.config.configuration import Config
from mbsim.engines.devices import backend
from mbsim.engines.settings import FLAGS
from mbsim.lazy import jax
from mbsim.sampling.examples import IN_TILES
from mbsim.sampling.streams import GENERATOR

PACKAGE = Path(__file__).parents[1]
BETWEEN = ", "  # values that are joined
FIELDS = (
    "mbsim_version",
    "jax_version",
    "jaxlib_version",
    "numpy_version",
    "device_kind",
    "compiler_flags",
    "engine",
    "engine_reason",
    "prng",
    "git_commit",
)


def collect(
    prng: str | None = None, engine: str = "", engine_reason: str = "", devices: Iterable[Any] | None = None
) -> dict[str, str]:
    """What computes here and now: a text for each of `FIELDS`.

    Args:
        prng: name of the generator of the keys, such as "threefry2x32"; jax's default where not given.
        engine: name of the engine that trains.
        engine_reason: why it is this one.
        devices: the jax devices in use; all of this process where not given.
    """
    if devices is None and backend() == "cpu":  # JAX need not run
        kinds = {"cpu"}
    else:
        kinds = {device.device_kind for device in (jax.local_devices() if devices is None else devices)}
    versions = {f"{name}_version": _version(name) for name in ("mbsim", "jax", "jaxlib", "numpy")}
    return {
        **versions,
        "device_kind": ", ".join(sorted(kinds)),
        "compiler_flags": " ".join(os.environ[name] for name in FLAGS if os.environ.get(name)),
        "engine": engine,
        "engine_reason": engine_reason,
        "prng": str(jax.random.key_impl(jax.random.key(0))) if prng is None else prng,
        "git_commit": _own_commit(),
    }


def generator(config: Config) -> str:
    """The name of what draws a run's random numbers; two runs of one configuration have the same bits where it is the
    same.
    """
    return GENERATOR if config.model.real else IN_TILES


def of_config(config: Config, config_hash: str) -> dict[str, Any]:
    """The attributes that the configuration gives; `load_config(json.loads(config))` is the configuration."""
    return {
        "config": json.dumps(config.resolved(), sort_keys=True, allow_nan=False),
        "config_hash": config_hash,
        "name": config.name,
        "model": config.model.kind_name,
        "rule": config.rule.name,
        "seed": config.run.seed,
    }


def joined(provenances: Iterable[Mapping[str, str]], fields: tuple[str, ...] = FIELDS) -> dict[str, str]:
    """For each of some fields, the distinct values found, in alphabetical order, with ", " between them; those that
    were joined so before are taken apart.
    """
    found: dict[str, set[str]] = {field: set() for field in fields}
    for provenance in provenances:
        for field in fields:
            found[field].add(provenance.get(field, ""))
    return {field: BETWEEN.join(_distinct(values - {""})) for field, values in found.items()}


def _distinct(values: set[str]) -> list[str]:
    return sorted(values if len(values) < 2 else {one for text in values for one in text.split(BETWEEN)})


def git_commit(package: Path = PACKAGE) -> str:
    """The commit of mbsim's source, with "-dirty" where tracked files were changed; "" where not known."""
    if commit := _installed_commit():
        return commit
    # An installed copy may lie inside somebody else's repository, whose commit would say nothing about mbsim.
    if not _git(package, "ls-files", "--", "__init__.py"):
        return ""
    dirty = "-dirty" if _git(package, "status", "--porcelain", "--untracked-files=no", "--", ".") else ""
    commit = _git(package, "rev-parse", "HEAD")
    return commit and commit + dirty


@functools.cache
def _own_commit() -> str:
    """That of the source which this process has loaded: each launch asks for it, and git takes a while."""
    return git_commit()


def _installed_commit() -> str:
    """The commit that pip noted when it installed mbsim straight from a repository."""
    try:
        note = importlib.metadata.distribution("mbsim").read_text("direct_url.json")
        return str(json.loads(note or "{}").get("vcs_info", {}).get("commit_id", ""))
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    try:
        command = ["git", "-C", str(folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):  # no git here, no repository, one that is not ours to read
        return ""
    return done.stdout.strip()


@functools.cache
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
