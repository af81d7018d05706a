"""What is known of a night's arms before anything is trained: who compares them, or foretells them, begins with it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tasks.arms.settings import ArmsSettings
from tasks.arms.since import beginnings, salt_digest
from tasks.exposures.settings import FeedbackSettings
from tasks.features.settings import FeatureSettings
from tasks.store.feedback import SHOWN, learned_before
from tasks.store.manifests import Manifest, outputs
from tasks.store.paths import Night


@dataclass(frozen=True)
class ArmsInputs:
    """The arms of a night, and what the stages about them read."""

    night: Night
    settings: ArmsSettings
    features: FeatureSettings
    feedback: FeedbackSettings
    cutoff: datetime
    prepared: Manifest
    valid: Manifest

    @property
    def keep_days(self) -> int:
        """How long what was learned of lists is kept."""
        return self.feedback.keep_days

    def begins(self) -> dict[str, datetime | None]:
        """Since when each arm has been as it is now; None for one that begins tonight."""
        return beginnings(self.night.store, self.settings, self.cutoff)

    def learned(self, name: str) -> list[Path]:
        """The files of this name of this night and of those before it, of what is learned of lists."""
        tomorrow = self.night.run_date + timedelta(days=1)
        return list(learned_before(self.night.store, tomorrow, name, self.keep_days + 1).values())

    def fingerprints(self) -> dict[str, Any]:
        """What a stage's work depends on, besides `parameters`."""
        shown = {str(path): path.stat().st_size for path in self.learned(SHOWN)}
        return outputs(prepared=self.prepared, valid=self.valid) | {"shown": shown, "begins": self.begins()}

    def parameters(self) -> dict[str, Any]:
        """The settings that a stage's work depends on; of the salt a digest only."""
        return {
            "salt": salt_digest(self.settings.salt),
            "groups": {name: arm.model_dump() for name, arm in self.settings.groups.items()},
            "cutoff": self.cutoff.isoformat(),
            "keep_days": self.keep_days,
            "features": self.features.model_dump(),
        }
