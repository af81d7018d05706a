"""Ways to write an instant that are read unasked, besides numbers since 1970.

All but dates without separators may stand in one file.
"""

from __future__ import annotations

from typing import NamedTuple


class Accepted(NamedTuple):
    """What a text is, an example, and the instant it stands for where the zone of the table is UTC."""

    what: str
    example: str
    instant: str


ACCEPTED = (
    Accepted("UTC", "2023-07-20T10:00:00Z", "2023-07-20T10:00:00"),
    Accepted("UTC", "2023-07-20t10:00:00z", "2023-07-20T10:00:00"),
    Accepted("UTC", "2023-07-20 10:00:00 Z", "2023-07-20T10:00:00"),
    Accepted("UTC", "2023-07-20 10:00:00 UTC", "2023-07-20T10:00:00"),
    Accepted("UTC", "2023-07-20 10:00:00UTC", "2023-07-20T10:00:00"),
    Accepted("UTC", "2023-07-20 10:00:00.5 UTC", "2023-07-20T10:00:00.5"),
    Accepted("UTC", "2023-07-20 10:00:00 gmt", "2023-07-20T10:00:00"),
    Accepted("offset from UTC", "2023-07-20 10:00:00+01", "2023-07-20T09:00:00"),
    Accepted("offset from UTC", "2023-07-20 10:00:00+01:00", "2023-07-20T09:00:00"),
    Accepted("offset from UTC", "2023-07-20 10:00:00 +0100", "2023-07-20T09:00:00"),
    Accepted("offset from UTC", "2023-07-20 10:00:00  -03:30", "2023-07-20T13:30:00"),
    Accepted(
        "offset, and the zone in brackets as Java writes it",
        "2023-07-20T10:00+02:00[Europe/Paris]",
        "2023-07-20T08:00:00",
    ),
    Accepted("IANA name of a zone", "2023-07-20 10:00 Europe/Berlin", "2023-07-20T08:00:00"),
    Accepted("IANA name of a zone", "2023-01-20 10:00:00.25 europe/berlin", "2023-01-20T09:00:00.25"),
    Accepted("IANA name of a zone", "2023-07-20 10:00:00 America/Argentina/Salta", "2023-07-20T13:00:00"),
    Accepted("IANA name of a zone", "2023-07-20 10:00:00 Etc/GMT+5", "2023-07-20T15:00:00"),
    Accepted("date: midnight", "2023-07-20", "2023-07-20T00:00:00"),
    Accepted("date: midnight", " 2023-07-20 ", "2023-07-20T00:00:00"),
    Accepted("UTC", "2023-07-20Z", "2023-07-20T00:00:00"),
    Accepted("offset from UTC", "2023-07-20+01:00", "2023-07-19T23:00:00"),
    Accepted("date and time, in the zone of the table", "2023-7-2 1:02:03", "2023-07-02T01:02:03"),
    Accepted("slashes, the year first", "2023/07/20 10:00", "2023-07-20T10:00:00"),
    Accepted("date and time, in the zone of the table", "2023-07-20T10", "2023-07-20T10:00:00"),
    Accepted("date and time, in the zone of the table", "2023-07-20_10:00:00", "2023-07-20T10:00:00"),
    Accepted("decimals of a second; more than six are cut off", "2023-07-20T10:00:00,123", "2023-07-20T10:00:00.123"),
    Accepted(
        "decimals of a second; more than six are cut off",
        "2023-07-20 10:00:00.123456789012",
        "2023-07-20T10:00:00.123456",
    ),
    Accepted("24:00: midnight of the next day", "2023-07-20 24:00:00", "2023-07-21T00:00:00"),
    Accepted("leap second: the first second of the next minute", "2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
    Accepted(
        "leap second: the first second of the next minute", "2017-01-01 05:29:60.5 +05:30", "2017-01-01T00:00:00.5"
    ),
    Accepted("ISO 8601 in its basic form", "20230720T100439Z", "2023-07-20T10:04:39"),
    Accepted("ISO 8601 in its basic form", "20230720T100439.5+0100", "2023-07-20T09:04:39.5"),
    Accepted("ISO 8601 in its basic form", "20230720 1004", "2023-07-20T10:04:00"),
    Accepted("UTC", "1969-12-31T23:59:59Z", "1969-12-31T23:59:59"),
    Accepted("date: midnight", "0001-01-01", "0001-01-01T00:00:00"),
    Accepted("date without separators", "20230720", "2023-07-20T00:00:00"),
    Accepted("date and time without separators", "202307201004", "2023-07-20T10:04:00"),
    Accepted("date and time without separators", "20230720100439", "2023-07-20T10:04:39"),
    Accepted("date and time without separators", "20230720100439125", "2023-07-20T10:04:39.125"),
)
