"""Fitted models as folders: `model.json` and `model.safetensors`, in which nothing is executed on loading.

The JSON file has the recommender's name, its hyper-parameters and small learned attributes, the other one the arrays.
The members of an ensemble are folders beside them.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recmodels import registry
from recmodels.base import Recommender, State
from recmodels.errors import NightrecError
from recmodels.parameters import current

FORMAT = 1
"""Version of the files that `save` writes."""

CSR = ("data", "indices", "indptr")

Model = TypeVar("Model", bound=Recommender)


def save(model: Recommender, folder: Path | str) -> None:
    """Write a fitted model into `folder`, which is created."""
    from safetensors.numpy import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, NDArray[Any]] = {}
    plain: State = {}
    for name, value in model._state().items():
        if isinstance(value, sparse.csr_array):
            plain[name] = {"csr": list(value.shape)}
            tensors |= {f"{name}.{part}": getattr(value, part) for part in CSR}
        elif isinstance(value, np.ndarray):
            tensors[name] = np.ascontiguousarray(value)
        elif isinstance(value, dict) and all(isinstance(part, np.ndarray) for part in value.values()):
            plain[name] = {"arrays": list(value)}
            tensors |= {f"{name}.{part}": np.ascontiguousarray(array) for part, array in value.items()}
        elif isinstance(value, dict):
            plain[name] = {"models": list(value)}
            for member, fitted in value.items():
                save(fitted, folder / name / member)
        else:
            plain[name] = value
    about = {
        "format": FORMAT,
        "recommender": registry.name_of(type(model)),
        "parameters": asdict(model),
        "fitted": plain,
    }
    save_file(tensors, folder / "model.safetensors")
    (folder / "model.json").write_text(json.dumps(about, indent=2, default=_as_plain) + "\n")


@overload
def load(folder: Path | str) -> Recommender: ...


@overload
def load(folder: Path | str, kind: type[Model]) -> Model: ...


def load(folder: Path | str, kind: type[Recommender] = Recommender) -> Recommender:
    """Read a saved model, also of an earlier release, whose names of parameters and attributes are translated.

    Args:
        folder: What `save` has written.
        kind: The class that the model must be of, or of a subclass.

    Raises:
        NightrecError: there is no such model.
    """
    folder = Path(folder)
    file = folder / "model.json"
    if not file.exists():
        raise NightrecError(f"{folder} holds no model.json; train the model first.")
    about = json.loads(file.read_text())
    if about.get("format") != FORMAT:
        raise NightrecError(f"{file}: format {about.get('format')}, known is {FORMAT}; train again.")
    model = _unfitted(about["recommender"], about["parameters"], file, kind)
    if not isinstance(model, kind):
        raise NightrecError(f"{folder} holds the model {about['recommender']}, not a {kind.__name__}.")
    model._restore(_state(folder, about["fitted"] if "fitted" in about else about["learnt"]))
    return model


def _unfitted(name: str, params: dict[str, Any], file: Path, wanted: type[Recommender]) -> Recommender:
    """The model of a name that is registered, or that the caller vouches for: a file alone imports no code."""
    if registry.name_of(wanted) == name:
        kind = wanted
    elif registry.is_registered(name):
        kind = registry.kind_of(name)
    else:
        raise NightrecError(
            f"{file} is of {name}, which is imported only where it is asked for: name it as a recommender in the "
            "configuration, or give its class to load."
        )
    try:
        return kind(**current(kind, params, name, note=False))
    except TypeError as error:
        raise NightrecError(f"{file}: {error}; train again.") from error


def _state(folder: Path, plain: State) -> State:
    from safetensors.numpy import load_file

    tensors: State = load_file(folder / "model.safetensors")
    state: State = {}
    for name, value in plain.items():
        if not isinstance(value, dict):
            state[name] = value
        elif "csr" in value:
            parts = tuple(tensors.pop(f"{name}.{part}") for part in CSR)
            state[name] = sparse.csr_array(parts, shape=value["csr"])
        elif "arrays" in value:
            state[name] = {part: tensors.pop(f"{name}.{part}") for part in value["arrays"]}
        else:
            state[name] = {member: load(folder / name / member) for member in value["models"]}
    return state | tensors


def _as_plain(value: object) -> object:
    """A number of numpy's as Python's own, which JSON can hold."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is nothing that a model's file can hold")
