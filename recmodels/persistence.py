"""Fitted models as folders: `model.json` and `model.safetensors`, in which nothing is executed on loading.

The JSON file has the recommender's name, its hyper-parameters and small learned attributes, the other one the arrays.
The members of an ensemble are folders beside them.
"""

import json
import mmap
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

TYPES = {"BOOL": "?", "U8": "u1", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "F32": "<f4", "F64": "<f8"}
"""What safetensors calls the types of arrays that models learn, and numpy."""

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


def own_recommenders(*folders: Path) -> list[str]:
    """Whose classes this process has imported by their path for the models saved in some folders, as `module:Class`.

    Another process that is to load them must be told: it imports nothing on a file's word.
    """
    files = (json.loads(file.read_text()) for folder in folders for file in folder.rglob("model.json"))
    return sorted({name for one in files if ":" in (name := one["recommender"]) and registry.is_registered(name)})


@overload
def load(folder: Path | str, *, mapped: bool = False) -> Recommender: ...


@overload
def load(folder: Path | str, kind: type[Model], *, mapped: bool = False) -> Model: ...


def load(folder: Path | str, kind: type[Recommender] = Recommender, *, mapped: bool = False) -> Recommender:
    """Read a saved model, also of an earlier release, whose names of parameters and attributes are translated.

    Args:
        folder: What `save` has written.
        kind: The class that the model must be of, or of a subclass.
        mapped: Leave the arrays on the disk and read what is used of them: at once, and in memory that the processes of
            a machine share.

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
    model._restore(_state(folder, about["fitted"] if "fitted" in about else about["learnt"], mapped))
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


def _state(folder: Path, plain: State, mapped: bool) -> State:
    from safetensors.numpy import load_file

    tensors: State = (mapped_arrays if mapped else load_file)(folder / "model.safetensors")
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
            state[name] = {member: load(folder / name / member, mapped=mapped) for member in value["models"]}
    return state | tensors


def mapped_arrays(path: Path) -> State:
    """The arrays of a safetensors file by name, on the disk; what is written to one stays in this process.

    (They can be written to, as to numba an array that cannot is of another type, which would be compiled for.)
    """
    with path.open("rb") as file:
        header = file.read(int.from_bytes(file.read(8), "little"))
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    arrays: State = {}
    for name, about in json.loads(header).items():
        if name != "__metadata__":
            start, end = (8 + len(header) + place for place in about["data_offsets"])
            kind = np.dtype(TYPES[about["dtype"]])  # at once: scipy copies what is a small view of a larger array
            n = (end - start) // kind.itemsize
            flat = np.frombuffer(content, kind, n, start) if n else np.empty(0, kind)
            arrays[name] = flat.reshape(about["shape"])
    return arrays


def _as_plain(value: object) -> object:
    """A number of numpy's as Python's own, which JSON can hold."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is nothing that a model's file can hold")
