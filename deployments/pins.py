"""Pins the images that nightrec is built from and runs beside by their digests: `python -m deployments.pins`.

A registry is asked for them, with `docker buildx imagetools inspect`, so that this is done where images are built. It
writes them after the tags, as in `postgres:17-bookworm@sha256:…`, into every file here that names such an image; run
again, it brings them up to date. `--check` writes nothing, and fails while an image has no digest.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
IMAGES = re.compile(r"\b(?P<image>(?:python|postgres):\d[\w.-]*)(?P<digest>@sha256:[0-9a-f]{64})?")
NAMES = ("Dockerfile", "*.yaml", ".env.example")
PLACES = ("ARG PYTHON_IMAGE=", "image:", "NIGHTREC_POSTGRES_IMAGE=")  # what a line has in it that names an image


def files(folder: Path = FOLDER) -> Iterator[Path]:
    for name in NAMES:
        yield from sorted(folder.rglob(name))


def pin(text: str, digest_of: Callable[[str], str]) -> str:
    """A file in which every image is named with its digest."""
    return "".join(
        IMAGES.sub(lambda found: f"{found['image']}@{digest_of(found['image'])}", line)
        if any(place in line for place in PLACES)
        else line
        for line in text.splitlines(keepends=True)
    )


def unpinned(text: str) -> list[str]:
    """The images that a file names without a digest."""
    lines = [line for line in text.splitlines() if any(place in line for place in PLACES)]
    return [found["image"] for line in lines for found in IMAGES.finditer(line) if not found["digest"]]


def ask(image: str) -> str:
    """What the registry says of an image: the digest of its list of platforms."""
    command = ["docker", "buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    digest = ran.stdout.strip().strip("'\"")
    if ran.returncode != 0 or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise SystemExit(f"The digest of {image} could not be asked for: {(ran.stderr.strip() or digest)[:200]}")
    return digest


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        left = {image for file in files() for image in unpinned(file.read_text(encoding="utf-8"))}
        print(*(f"{image} has no digest: make pin-images" for image in sorted(left)), sep="\n")
        return int(bool(left))
    known: dict[str, str] = {}
    for file in files():
        text = file.read_text(encoding="utf-8")
        changed = pin(text, lambda image: known[image] if image in known else known.setdefault(image, ask(image)))
        if changed != text:
            file.write_text(changed, encoding="utf-8")
    print(*(f"{image}@{digest}" for image, digest in known.items()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
