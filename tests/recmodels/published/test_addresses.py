"""Secrets in addresses are found and named, and never repeated."""

import pytest

from recmodels.errors import ConfigError
from recmodels.published.addresses import secret_in, shown, without_secret


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("s3://key:hunter2@bucket/prefix", "user:password@"),
        ("s3://key:hunt/hunter2@bucket/prefix", "user:password@"),
        ("s3://key@bucket/prefix", "user:password@"),
        ("https://hunter2@host/hook", "user:password@"),
        ("abfss://container:hunter2@account.dfs.core.windows.net/x", "user:password@"),
        ("postgresql+psycopg://me:hunter2@host/x", "user:password@"),
        ("https://host/hook?room=1&token=hunter2", "?token="),
        ("https://host/hook#access_token=hunter2", "?access_token="),
        ("https://account.blob/x?sv=1&sig=hunter2", "?sig="),
        ("s3://bucket/x?X-Amz-Signature=hunter2", "?X-Amz-Signature="),
        ("s3://bucket/x?secret_key=hunter2&region=eu", "?secret_key="),
        ("https://host/x?apikey=hunter2", "?apikey="),
        ("https://host/x?key=", "?key="),
    ],
)
def test_a_secret_in_an_address_is_named_and_not_shown(address: str, found: str) -> None:
    assert secret_in(address) == found
    with pytest.raises(ConfigError) as refused:
        without_secret(address)
    assert "hunter2" not in str(refused.value) and "leave it out, and set " in str(refused.value)
    assert "hunter2" not in shown(address)


@pytest.mark.parametrize(
    "address",
    [
        "s3://bucket/prefix?region=eu-central-1&endpoint_override=localhost:9000&scheme=http",
        "abfss://container@account.dfs.core.windows.net/prefix",
        "https://host:5000/a@b/keys?keyword=signal&author=me",
        "file:///a:b@c/d",
        "/disk/a:b@c?token=1",
    ],
)
def test_an_ordinary_address_is_taken(address: str) -> None:
    assert without_secret(address) == address
