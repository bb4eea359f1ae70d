"""What a run uses of a user's own: kept in its folder, so that it can be read without the script, and so that a
changed function is not taken for the old one.

`registered.json` is there only where something registered by a script is used:

    {"observable": {"NAME": {"source": SHA-256, "long_name": ..., "units": ..., "tail": ...}},
     "activation": {"NAME": {"source": SHA-256}}, "optimizer": {...}}
"""

import functools
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from mbsim.config import Config
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.observables import OBSERVABLES, Observable
from mbsim.physics.optimisers import OPTIMISERS
from mbsim.registry import Registry

REGISTERED = "registered.json"


def fingerprint(function: Callable[..., Any]) -> str:
    """SHA-256 of a function's source text, or of its code where that is not to be had; of a library's own function
    its name. Values that it closes over are not in it.
    """
    function = inspect.unwrap(function)
    if isinstance(function, functools.partial):
        return fingerprint(function.func)
    module = getattr(function, "__module__", "") or ""
    if module.split(".")[0] in ("jax", "optax", "numpy"):
        text = f"{module}.{function.__qualname__}"
    else:
        try:
            text = textwrap.dedent(inspect.getsource(function))
        except (OSError, TypeError):  # typed at a prompt
            code = getattr(function, "__code__", None)
            text = repr((code.co_code, code.co_names, code.co_varnames)) if code else repr(type(function))
    return hashlib.sha256(text.encode()).hexdigest()


def used(config: Config) -> dict[str, dict[str, dict[str, Any]]]:
    """What a configuration uses of what users registered; empty if nothing."""
    model, options = config.model, config.dynamics.options
    activations = (model.activation, model.teacher_activation)
    found: dict[str, dict[str, dict[str, Any]]] = {
        "observable": {
            name: {
                "source": fingerprint(OBSERVABLES[name].value),  # type: ignore[arg-type]  # users give functions
                "long_name": OBSERVABLES[name].long_name,
                "units": OBSERVABLES[name].units,
                "tail": OBSERVABLES[name].tail,
            }
            for name in _own(config.observables, OBSERVABLES)
        },
        "activation": {
            name: {"source": fingerprint(ACTIVATIONS[name].value)} for name in _own(activations, ACTIVATIONS)
        },
        "optimizer": {
            name: {"source": fingerprint(OPTIMISERS[name])}
            for name in _own((options.get("optimizer"),), OPTIMISERS)
        },
    }
    return {kind: names for kind, names in found.items() if names}


def _own(names: tuple[str | None, ...], registry: Registry) -> list[str]:
    return [
        name for name in dict.fromkeys(names) if name and name in registry and not registry.built_in(name)
    ]


def as_json(config: Config) -> bytes:
    """The content of `REGISTERED`; empty where nothing is used."""
    found = used(config)
    return json.dumps(found, indent=1, ensure_ascii=False).encode() + b"\n" if found else b""


def described(content: bytes) -> dict[str, Observable]:
    """The observables that a folder's file tells of, without their functions."""
    observables = json.loads(content or b"{}").get("observable", {})
    return {
        name: Observable(
            name, None, one["long_name"], one["units"], tail=one["tail"], tail_name=one["long_name"]
        )
        for name, one in observables.items()
    }


def changed(content: bytes, config: Config) -> list[str]:
    """A text for each thing whose function is another than when the run began."""
    there: Mapping[str, Mapping[str, Mapping[str, Any]]] = json.loads(content or b"{}")
    return [
        f'{kind} "{name}" was registered with another {"function" if part == "source" else part} when the run began'
        for kind, names in used(config).items()
        for name, one in names.items()
        for part in one
        if there.get(kind, {}).get(name, {}).get(part, one[part]) != one[part]
    ]
