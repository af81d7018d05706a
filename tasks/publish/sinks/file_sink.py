"""One's own sink that is loaded file by file, each by a node of the night's engine where it has some."""

from abc import abstractmethod

from recmodels.engine.work import Work
from recmodels.errors import NightrecError
from tasks.publish.by_nodes import ANSWER
from tasks.publish.sinks.by_file import ROWS, by_file, total
from tasks.publish.sinks.sink import Sink, own_sink
from tasks.publish.sinks.source import Published, PublishedFile
from tasks.store.files import Json, write_json


class FileSink(Sink):
    """A sink that is loaded file by file, at the same time: by the nodes of the night's engine where it has some.

    It declares `load_file` in place of `load`, and `begin` and `finish` if there is something to do before and after.
    """

    def begin(self, published: Published) -> Json:
        """Prepare the place; it is called once, by the night's process.

        Returns:
            What `load_file` and `finish` are told, as JSON can say it: the name of a new table, say. No secrets.
        """
        return {}

    @abstractmethod
    def load_file(self, file: PublishedFile, begun: Json) -> Json:
        """Load the rows of one file. It may be called twice for a file, even at the same time, and leaves the same.

        Args:
            file: with its `table`, a `name` that no other file has, and `rows()` or `lists()`.
            begun: what `begin` has returned.

        Returns:
            What has arrived: `{"rows": 120, "checksum": ...}`, as a `Tally` says it.

        Raises:
            ConfigError, ConnectionError: this machine lacks a variable or a package, or does not reach the place. Where
                it is a node, the night's process loads all files then.
            NightrecError: it failed, as of `load`.
        """

    def finish(self, published: Published, begun: Json, arrived: dict[str, list[Json]]) -> dict[str, Json]:
        """Switch readers over to what has arrived; it is called once, by the night's process.

        Args:
            published: the export.
            begun: what `begin` has returned.
            arrived: what `load_file` has returned, by table.

        Returns:
            As `load` does; without a method of its own, the sums.
        """
        return {table: total(answers).proof() for table, answers in arrived.items()}

    def load(self, published: Published) -> dict[str, Json]:
        begun = self.begin(published)
        told = {"settings": self.model_dump(mode="json"), "begun": begun}
        return self.finish(published, begun, by_file(load_file, published, told, published.tables))


def load_file(work: Work) -> None:
    """Have the sink of a bucket load its file."""
    told = work.arguments
    sink = own_sink(told["settings"]["sink"], told["settings"], [])
    assert isinstance(sink, FileSink), sink
    file = PublishedFile(told["table"], told["part"], work.inputs[ROWS])
    try:
        answer = sink.load_file(file, told["begun"])
    except (NightrecError, OSError):
        raise
    except Exception as error:  # its text may hold a secret
        raise NightrecError(f"{type(error).__name__}.") from None
    write_json(work.out / ANSWER, answer)
