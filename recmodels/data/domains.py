"""The domains of a site: several catalogues (films and books, a shop and its magazine) with users in common.

An item's id is that of its domain and its own within it, `films:42`, so that the same id in two domains is two items.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Bools, Floats, Ints
from recmodels.data.parquet import as_numpy
from recmodels.errors import DataRefused

log = logging.getLogger(__name__)

SEPARATOR = ":"
"""Between the domain and the id within it: no domain has it in its name."""
MOST = 128
FILE = "domains.parquet"
"""Within `prepared/`, a row an item; only a site with domains has it."""


@dataclass(frozen=True, eq=False)
class Domains:
    """Which domain each item is of.

    Attributes:
        names: of the domains, ascending.
        codes: places in `names`: int32 [n_items].
    """

    names: tuple[str, ...]
    codes: Ints

    @classmethod
    def of(cls, item_ids: pa.Array) -> Self:
        """By the ids of the items. Raises DataRefused for more domains than lists can tell apart."""
        name = pc.list_element(pc.split_pattern(item_ids, SEPARATOR, max_splits=1), 0)
        found = sorted(pc.unique(name).to_pylist())
        if len(found) > MOST:
            some = ", ".join(found[:3])
            raise DataRefused(f"The items have {len(found)} domains ({some}, …), and {MOST} are the most: join some.")
        return cls(tuple(found), as_numpy(pc.index_in(name, value_set=pa.array(found, pa.string()))))

    @classmethod
    def read(cls, prepared: Path) -> Self | None:
        """Those of prepared tables; None where the site has none."""
        path = prepared / FILE
        if not path.exists():
            return None
        column = pq.read_table(path)["domain"].combine_chunks()
        return cls(tuple(column.dictionary.to_pylist()), as_numpy(column.indices))

    def write(self, prepared: Path) -> None:
        column = pa.DictionaryArray.from_arrays(pa.array(self.codes, pa.int32()), pa.array(self.names, pa.string()))
        pq.write_table(pa.table({"domain": column}), prepared / FILE)

    def file(self, name: str) -> str:
        """What the lists of a domain alone are called, where lists lie."""
        return f"domain-{self.names.index(name)}.parquet"

    def items(self, name: str) -> Bools:
        """Which items are of a domain: bool [n_items]."""
        within: Bools = self.codes == self.names.index(name)
        return within

    def parts(self, length: int, share: float) -> Floats | None:
        """Which numbers of its vector an item of each domain has, 1 or 0: float32 [n_domains, length].

        The numbers that all domains share come first, then those of each domain: as many each, and together at most
        `share` of all. None where no domain has any of its own.
        """
        own = int(length * share) // len(self.names)
        if not own:
            if share:
                log.info(
                    "%g of %d numbers are none for each of %d domains: all are shared.", share, length, len(self.names)
                )
            return None
        shared = length - own * len(self.names)
        each = np.eye(len(self.names), dtype=np.float32)
        return np.hstack([np.ones((len(each), shared), np.float32), np.repeat(each, own, axis=1)])
