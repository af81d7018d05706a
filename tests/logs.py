"""What is logged while a test runs, kept for where it fails."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest
from _pytest.logging import LoggingPlugin, caplog_handler_key, caplog_records_key


def of_root(config: pytest.Config) -> None:
    """Have pytest listen to the root logger alone, but for tests that ask for `caplog`.

    It looks through all loggers for those that do not propagate, six times a test. PyTorch alone has forty, and so this
    took as long as the tests of some packages.
    """
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    if plugin and plugin.log_level is None:
        plugin._runtest_for = partial(_runtest_for, plugin, plugin._runtest_for)


@contextmanager
def _runtest_for(
    plugin: LoggingPlugin, everywhere: Callable[..., AbstractContextManager[None]], item: pytest.Item, when: str
) -> Iterator[None]:
    if "caplog" in getattr(item, "fixturenames", ()):
        with everywhere(item, when):
            yield
        return
    kept, root = plugin.report_handler, logging.getLogger()
    kept.reset()
    item.stash[caplog_records_key][when] = []
    item.stash[caplog_handler_key] = plugin.caplog_handler
    root.addHandler(kept)
    try:
        yield
    finally:
        root.removeHandler(kept)
        item.add_report_section(when, "log", kept.stream.getvalue().strip())
