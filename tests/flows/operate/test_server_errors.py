"""A server that fails is a sentence, whatever the library beneath calls it."""

import httpx
import pytest
from prefect.exceptions import PrefectHTTPStatusError

from flows.operate.server_errors import server_error


def refused(code: int) -> PrefectHTTPStatusError:
    answer = httpx.Response(code, request=httpx.Request("GET", "http://server:4200/api/flows"), text="<html>\n" * 500)
    with pytest.raises(httpx.HTTPStatusError) as raised:
        answer.raise_for_status()
    return PrefectHTTPStatusError.from_httpx_error(raised.value)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (refused(503), "answered 503 Service Unavailable: its log says why"),
        (refused(422), "answered 422 Unprocessable"),
        (refused(401), "refused the password: set PREFECT_API_AUTH_STRING"),
        (refused(403), "turned the request away: set PREFECT_API_URL"),
        (httpx.ConnectError("All connection attempts failed"), "does not answer"),
        (httpx.ReadTimeout("\n"), "does not answer"),
        (RuntimeError("Failed to reach API at http://server:4200/api/"), "does not answer"),
    ],
    ids=repr,
)
def test_it_is_said_in_a_line(error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://server:4200/api")
    said = server_error(error)
    assert said is not None and "\n" not in said and len(said) <= 400
    assert said.startswith("Prefect's server at http://server:4200/api ") and sentence in said


def test_other_errors_are_left_alone() -> None:
    assert server_error(ValueError("no")) is None
