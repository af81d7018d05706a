"""Arrays as files that processes map into memory: those of one machine share what they read."""

import math
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import sparse

from recmodels.data.arrays import READING_HEADER, Csr

CSR = ("indptr", "indices", "data")


def write_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write each as `<name>.npy` into a folder, uncompressed."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def write_long(path: Path, kind: DTypeLike, length: int, pieces: Iterable[NDArray[Any]]) -> None:
    """Write an array that need not fit into memory, a piece after the other."""
    described = np.lib.format.dtype_to_descr(np.dtype(kind))
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": described, "fortran_order": False, "shape": (length,)})
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, kind).data)


def mapped(folder: Path, name: str) -> NDArray[Any]:
    """An array of a folder, see `mapped_file`."""
    return mapped_file(folder / f"{name}.npy")


def mapped_file(path: Path) -> NDArray[Any]:
    """An array on the disk; what is written to it stays in this process.

    (It can be written to, as to numba an array that cannot is of another type, which would be compiled for.)
    """
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        with READING_HEADER:
            shape, columns_first, kind = read(file)
        if kind.hasobject:
            raise ValueError(f"{path} cannot be mapped: it has Python objects in dtype {kind}.")
        if 0 in shape:  # nothing cannot be mapped
            return np.zeros(shape, kind)
        begin = file.tell()
        content = mmap(file.fileno(), begin + kind.itemsize * math.prod(shape), access=ACCESS_COPY)
    return np.ndarray(shape, kind, content, begin, order="F" if columns_first else "C")


def linked(source: Path, target: Path) -> None:
    """The same file under another name: a hard link, or a copy where there are none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)


def csr_arrays(matrix: Csr, prefix: str = "") -> dict[str, NDArray[Any]]:
    """The arrays that a sparse matrix consists of, as `write_arrays` takes them."""
    arrays = {f"{prefix}{name}": getattr(matrix, name) for name in CSR}
    return arrays | {f"{prefix}shape": np.array(matrix.shape, np.int64)}


def mapped_csr(folder: Path, prefix: str = "") -> Csr:
    """The sparse matrix of these names in a folder, on the disk."""
    indptr, indices, data, shape = (mapped(folder, f"{prefix}{name}") for name in (*CSR, "shape"))
    return sparse.csr_array((data, indices, indptr), shape=tuple(shape.tolist()))
