"""Settings of sinks hold no passwords."""

import pytest

from tasks.publish.sinks.settings import DeltaSettings, PostgresSettings


def test_settings_take_no_passwords() -> None:
    with pytest.raises(ValueError, match=r"s3://bucket/lake holds a secret .* set AWS_ACCESS_KEY_ID"):
        DeltaSettings(path="s3://somebody:secret@bucket/lake")
    with pytest.raises(ValueError, match="pattern"):
        PostgresSettings(dsn_env="SHOP_DSN", table="lists; drop table users")
