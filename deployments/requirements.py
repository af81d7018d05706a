"""What an image installs beside nightrec, by `pyproject.toml` beside it: `python -m deployments.requirements EXTRAS`.

`--check-cuda VARIANT` fails unless the PyTorch that is installed, if one is, fits the variant of the image.
"""

import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

PROJECT = Path("pyproject.toml")


def requirements(extras: str, project: Path = PROJECT) -> list[str]:
    """The requirements of nightrec with these extras, which are separated by commas."""
    content = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    return [*content["dependencies"], *of_extras(extras, content["optional-dependencies"], content["name"])]


def of_extras(extras: str, known: dict[str, list[str]], name: str) -> Iterator[str]:
    """The requirements of extras, in place of an extra of the project itself those of that one."""
    for extra in filter(None, (one.strip() for one in extras.split(","))):
        if extra not in known:
            raise SystemExit(f"NIGHTREC_EXTRAS: there is no extra {extra}; there are {', '.join(known)}.")
        for requirement in known[extra]:
            if requirement.startswith(f"{name}["):
                yield from of_extras(requirement.partition("[")[2].rstrip("]"), known, name)
            else:
                yield requirement


def check_cuda(variant: str) -> None:
    """Exit with a sentence if an image for the CPU carries CUDA, or one for the GPU does not."""
    if find_spec("torch") is None:
        return
    import torch

    if variant == "cuda" and not torch.version.cuda:
        raise SystemExit("VARIANT=cuda, and this PyTorch has no CUDA: see TORCH_INDEX.")
    if variant == "cpu" and torch.version.cuda:
        raise SystemExit("VARIANT=cpu, and this PyTorch has CUDA, gigabytes for nothing: see TORCH_INDEX.")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--check-cuda", variant]:
            check_cuda(variant)
        case [extras]:
            print(*requirements(extras), sep="\n")
        case _:
            raise SystemExit(__doc__)
