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
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mbsim.config import Config
from mbsim.errors import RunFolderError
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.observables import OBSERVABLES, Observable
from mbsim.physics.optimisers import OPTIMISERS
from mbsim.registry import Registry

REGISTERED = "registered.json"
ATTRIBUTE = "registered"
"""The attribute of datasets, and of the hierarchy in a run folder, that repeats it."""


def fingerprint(function: Callable[..., Any]) -> str:
    """SHA-256 of a function's source text, or of its code where that is not to be had; of a library's own function
    its name; of an object that can be called the source of its class. With it go the values that it was given: the
    arguments of a partial, the attributes of an object, and what a function closes over.
    """
    return hashlib.sha256(_told(function).encode()).hexdigest()


def _told(function: Any, within: tuple[int, ...] = ()) -> str:
    """The text that stands for a function; `within` are those that it is told as a part of."""
    if id(function) in within:
        return "itself"
    within = (*within, id(function))
    function = inspect.unwrap(function)
    if isinstance(function, functools.partial):
        given = dict(enumerate(function.args)) | function.keywords
        return _told(function.func, within) + _values(given, within)
    module = getattr(function, "__module__", "") or ""
    if module.split(".")[0] in ("jax", "optax", "numpy") and hasattr(function, "__qualname__"):
        return f"{module}.{function.__qualname__}"
    code = getattr(function, "__code__", None)
    whole = function if code is not None or inspect.isclass(function) else type(function)
    try:
        text = textwrap.dedent(inspect.getsource(whole))
    except (OSError, TypeError):  # typed at a prompt
        text = repr((code.co_code, code.co_names, code.co_varnames)) if code else repr(whole)
    if whole is not function:
        return text + _values(getattr(function, "__dict__", {}), within)
    return text + _values(dict(zip(code.co_freevars, _cells(function), strict=True)) if code else {}, within)


def _cells(function: Any) -> list[Any]:
    """What a function closes over; nothing where a variable has no value yet."""
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            found.append(None)
    return found


def _values(given: Mapping[Any, Any], within: tuple[int, ...]) -> str:
    """Named values as text; empty without any."""
    return "".join(f"\n{name} = {_value(value, within)}" for name, value in given.items())


def _value(value: Any, within: tuple[int, ...]) -> str:
    if isinstance(value, (tuple, list, dict)):
        if id(value) in within:
            return "itself"
        parts = value if isinstance(value, dict) else dict(enumerate(value))
        return f"[{_values(parts, (*within, id(value)))}]"
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        array = np.asarray(value)
        return f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return repr(value)
    return _told(value, within) if callable(value) else repr(type(value))


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


def sound(content: bytes) -> bool:
    """Whether the content of a file can be read."""
    try:
        kinds = json.loads(content or b"{}")
        described(content)
        return all(isinstance(names, dict) for names in kinds.values())
    except (ValueError, AttributeError, LookupError, TypeError):
        return False


def chosen(path: Path, repeated: bytes, config: Config) -> bytes:
    """What a run folder's file says, `path`. Where it was lost or damaged: what the folder's metadata repeat of it,
    or what is registered here.

    Raises:
        RunFolderError: none of them tells what the run uses.
    """
    content, known = path.read_bytes() if path.exists() else b"", as_json(config)
    some = [one for one in (content, repeated, known) if one and sound(one)]
    told = known if known in some[:2] else some[0] if some else b""
    if content and told == content:
        return content
    unknown = unknown_to(told, config)
    if unknown or (content and not told):
        what = f"the run uses the observable {unknown[0]!r}, and " if unknown else ""
        raise RunFolderError(
            f"{path} is {'damaged' if content else 'lost'}: {what}only the script that registered it can put it back"
        )
    if content:
        warnings.warn(f"{path} is damaged: `mbsim run` puts it back", stacklevel=1)
    return told


def unknown_to(content: bytes, config: Config) -> list[str]:
    """The observables of a run that are neither registered here nor described in the content of a sound file."""
    known = {*OBSERVABLES, *described(content)}
    return [name for name in config.observables if name not in known]


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
