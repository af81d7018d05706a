from shop.models import NextItem

from recmodels.testing import RecommenderContract


class TestNextItem(RecommenderContract):
    def make(self) -> NextItem:
        return NextItem(decay=0.5)
