"""The files of ``deployments/`` that several tests look at, and what all containers of them must be like."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deployments"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
USER = 10001  # of the image


def safe(pod: dict[str, Any], user: int | None = None) -> None:
    """No root, no capabilities, no way to more rights, and pinned images."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert user is None or pod["securityContext"]["runAsUser"] == user
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert "memory" in container["resources"]["limits"], "without a limit it can take down its node"
        pinned(container["image"])


def pinned(image: str) -> None:
    assert image.startswith("{{") or (":" in image and not image.endswith(":latest") and "/" not in image), image
