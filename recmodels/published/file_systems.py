"""The file systems that URLs name."""

from contextlib import suppress

import pyarrow as pa
import pyarrow.fs as pafs

AT_ONCE = "allow_delayed_open=true"


def file_system(url: str) -> tuple[pafs.FileSystem, str]:
    """The file system of a URL, and the path in it.

    A small file is sent to S3 in one request, where Arrow would begin, fill and complete an upload in three.

    Raises:
        pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError: Arrow does not know its kind.
        OSError: the place does not answer.
    """
    if url.startswith("s3://"):
        with suppress(pa.ArrowInvalid):  # Arrow before 21 does not know how, and says below what else it does not
            return _of(f"{url}{'&' if '?' in url else '?'}{AT_ONCE}")
    return _of(url)


def _of(url: str) -> tuple[pafs.FileSystem, str]:
    files, path = pafs.FileSystem.from_uri(url)
    return files, path
