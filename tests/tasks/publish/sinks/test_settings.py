"""Settings of sinks hold no passwords."""

import pytest

from tasks.publish.sinks.settings import DeltaSettings, PostgresSettings


def test_settings_take_no_passwords() -> None:
    with pytest.raises(ValueError, match="credentials do not belong in a URL"):
        DeltaSettings(path="s3://somebody:secret@bucket/lake")
    with pytest.raises(ValueError, match="pattern"):
        PostgresSettings(dsn_env="SHOP_DSN", table="lists; drop table users")
