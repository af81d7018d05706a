import json
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from recmodels import device, losses, training
from recmodels.attention import Dropout, Filter, Fusion, Items, Network, last_states
from recmodels.dataset import Dataset
from recmodels.errors import ConfigError, DataRefused, NightrecError
from recmodels.histories import DAY, Histories
from recmodels.recipe import Recipe, Shape
from recmodels.training import Training
from recmodels.transformer import Transformer
from tests.recmodels.contract import N_ITEMS, N_USERS, RecommenderContract, small_site

TINY = {"width": 8, "heads": 2, "layers": 1, "length": 12, "epochs": 2, "batch": 64, "user_width": 6}
EVERYBODY = np.arange(N_USERS)
BLOCKS = ("sasrec", "ligr", "bsarec")


class TestTransformer(RecommenderContract):
    rounding = 1e-3

    def make(self) -> Transformer:
        return Transformer(**TINY)


class TestGatedWithSampledSoftmaxOverTheComingDays(RecommenderContract):
    rounding = 1e-3

    def make(self) -> Transformer:
        return Transformer(**TINY, block="ligr", loss="sampled", negatives=16, objective="days", temperature=None)


class TestFusedWithUsersAndContent(RecommenderContract):
    rounding = 1e-3
    recommends_unseen_items = True

    def make(self) -> Transformer:
        return Transformer(
            **TINY, block="sasrec", loss="gbce", negatives=8, user_embedding=True, cross=True, content=True
        )


def shape(block: str = "bsarec", **changes: object) -> Shape:
    return replace(Shape(width=8, heads=2, layers=2, length=12), block=block, **changes)


def some_scores(m: int = 7, n: int = 11, d: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """States, a table and targets, in double precision."""
    generator = torch.Generator().manual_seed(0)
    states, table = (torch.randn(size, d, generator=generator, dtype=torch.float64) for size in (m, n))
    return states.requires_grad_(), table.requires_grad_(), torch.arange(m) % n


@pytest.mark.parametrize("budget", [1, 3 * 4 * 11, 2**20])  # one row at a time, three, all
def test_full_cross_entropy_is_that_of_torch_and_so_are_its_gradients(budget: int) -> None:
    states, table, targets = some_scores()
    weights = torch.linspace(0.5, 2, 7, dtype=torch.float64)
    expected = (weights * functional.cross_entropy(states @ table.T, targets, reduction="none")).sum()
    ours = losses._CrossEntropy.apply(states, table, targets, weights, budget)
    torch.testing.assert_close(ours, expected)
    for one, other in zip(
        torch.autograd.grad(2 * ours, (states, table)),
        torch.autograd.grad(2 * expected, (states, table)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_cosines_are_what_is_scored_whatever_the_length_of_vectors() -> None:
    model = Transformer(**TINY, temperature=0.1).fit(small_site())
    data = small_site()
    states = model._user_vectors(data, np.arange(5, dtype=np.int32))
    np.testing.assert_allclose(np.linalg.norm(states, axis=1), 10, rtol=1e-4)  # 1 / temperature
    known = np.unique(data.item_index)
    np.testing.assert_allclose(np.linalg.norm(model.item_vectors_[known], axis=1), 1, rtol=1e-4)


def test_the_average_of_the_weights_is_kept() -> None:
    """One user with one item to learn from: a step an epoch; after n steps the average keeps (1 + n) / (10 + n)."""
    data = Dataset.from_arrays([0, 0, 0, 1, 1], [0, 1, 2, 1, 2], timestamp=[0, 1, 2, 3, 4])
    settings = TINY | {"dropout": 0.0, "patience": 9}
    recipe = Transformer(**settings | {"epochs": 3})
    learner = Training(recipe, Network(recipe), Items(data, recipe), data)
    learner.histories.tested = learner.histories.tested[:0]  # then the last epoch is the best
    seen = [learner.items.embedding.detach().clone()]
    step = learner.averaged.update_parameters

    def update(model: torch.nn.Module) -> None:
        seen.append(learner.items.embedding.detach().clone())
        step(model)

    learner.averaged.update_parameters = update  # type: ignore[method-assign]
    learner.run()
    expected = seen[1]  # the first update copies
    for n, weights in enumerate(seen[2:], start=1):
        kept = (1 + n) / (10 + n)
        expected = kept * expected + (1 - kept) * weights
    torch.testing.assert_close(learner.items.embedding.detach(), expected)


def test_sampled_softmax_with_every_item_once_is_the_full_one() -> None:
    states, table, targets = some_scores()
    weights = torch.linspace(0.5, 2, 7, dtype=torch.float64)
    even = torch.ones(11, dtype=torch.float64)
    sampled = losses.sampled_softmax(states, table, targets, weights, torch.arange(11), even)
    torch.testing.assert_close(sampled, losses.cross_entropy(states, table, targets, weights))


def test_an_item_expected_twice_weighs_half() -> None:
    states, table = torch.tensor([[1.0]]), torch.tensor([[0.5], [0.25], [-1.0]])
    drawn, counts = torch.tensor([1, 2, 0]), torch.tensor([2.0, 1, 1])
    loss = losses.sampled_softmax(states, table, torch.tensor([0]), torch.ones(1), drawn, counts)
    total = np.exp(0.5) + np.exp(0.25) / 2 + np.exp(-1.0)  # the target, drawn too, counts once
    assert float(loss) == pytest.approx(np.log(total) - 0.5)


@pytest.mark.parametrize("calibration", [0.0, 0.75, 1.0])
def test_gbce_follows_its_definition(calibration: float) -> None:
    states, table, targets = some_scores()
    drawn = torch.tensor([8, 9, 10])
    a = 3 / 10
    beta = a * (calibration * (1 - 1 / a) + 1 / a)
    positive = torch.sigmoid((states * table[targets]).sum(dim=1))
    negative = torch.sigmoid(states @ table[drawn].T)
    weights = torch.linspace(0.5, 2, 7, dtype=torch.float64)
    expected = -(weights * (beta * positive.log() + (1 - negative).log().sum(dim=1))).sum() / 4
    torch.testing.assert_close(losses.gbce(states, table, targets, weights, drawn, calibration), expected)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("users", [False, True])
def test_a_state_knows_nothing_of_what_comes_after_it(block: str, users: bool) -> None:
    network = Network(shape(block, user_embedding=users, cross=users), 3).eval()
    x = torch.randn(2, 10, 8)
    changed = torch.cat((x[:, :6], torch.randn(2, 4, 8)), dim=1)
    who = torch.tensor([0, 2])
    torch.testing.assert_close(network(x, who)[:, :6], network(changed, who)[:, :6], rtol=0, atol=1e-6)
    assert not torch.allclose(network(x, who)[:, 6:], network(changed, who)[:, 6:])


@pytest.mark.parametrize("block", BLOCKS)
def test_each_state_is_that_of_its_prefix_alone_and_padding_changes_nothing(block: str) -> None:
    network, items = Network(shape(block)), Items(small_site(), shape(block))
    data = small_site()
    start, n = int(data.indptr[5]), 7
    ends = start + np.arange(1, n + 1)
    alone = last_states(network, items(), data.item_index, np.full(n, start), ends, np.zeros(n, np.int32))
    inputs = items()[torch.from_numpy(data.item_index[start : start + n]).long()]
    torch.testing.assert_close(network(inputs[None], torch.tensor([0]))[0], torch.from_numpy(alone))


def test_the_filter_is_the_low_pass_of_each_padded_prefix() -> None:
    """Against the definition of the paper: the spectrum of the last 12 places, cut off after the third frequency."""
    layer, x = Filter(shape(cutoff=5)), torch.randn(1, 9, 8)
    filtered = layer(x)
    for t in range(9):
        padded = torch.cat((torch.zeros(12 - t - 1, 8), x[0, : t + 1]))
        spectrum = torch.fft.rfft(padded, dim=0)
        spectrum[3:] = 0
        low = torch.fft.irfft(spectrum, n=12, dim=0)[-1]
        torch.testing.assert_close(filtered[0, t], low + layer.beta_root**2 * (x[0, t] - low), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(501, 401, requires_grad=True)  # not a multiple of eight
    out = Dropout(p)(x)
    dropped = out == 0
    assert float(dropped.float().mean()) == pytest.approx(round(256 * p) / 256, abs=0.005)  # 4.5 standard errors
    assert float(out.detach().mean()) == pytest.approx(1, abs=0.05)
    along = dropped[:, :-1] & dropped[:, 1:]  # neighbours know nothing of each other
    assert float(along.float().mean()) == pytest.approx((round(256 * p) / 256) ** 2, abs=0.005)
    out.sum().backward()
    torch.testing.assert_close(x.grad, out.detach())
    torch.testing.assert_close(Dropout(p).eval()(x), x)


def test_the_cross_network_follows_its_formula() -> None:
    fusion = Fusion(shape(user_embedding=True, cross=True, user_width=5), 4).eval()
    x, users = torch.randn(2, 3, 8), torch.tensor([1, 3])
    out = fusion(x, users)
    for row in range(2):
        for place in range(3):
            start = torch.cat((fusion.users.weight[users[row]], x[row, place]))  # [5 + 8]
            crossed = start
            for layer in fusion.layers:
                crossed = start * (layer.weight @ crossed + layer.bias) + crossed
            expected = x[row, place] + fusion.out.weight @ crossed + fusion.out.bias
            torch.testing.assert_close(out[row, place], expected)


@pytest.mark.parametrize("block", BLOCKS)
def test_what_a_gpu_compiles_computes_the_same_for_any_length(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced as there, and then run by torch's own operations: there may be no compiler here."""
    monkeypatch.setattr(training, "find_spec", lambda _: True)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    network = Network(shape(block)).eval()
    compiled = training._compiled(network, torch.device("cuda"))
    assert compiled is not network and training._compiled(network, torch.device("cpu")) is network
    for size in ((2, 5, 8), (3, 9, 8)):
        x, users = torch.randn(size), torch.zeros(size[0], dtype=torch.int64)
        torch.testing.assert_close(compiled(x, users), network(x, users))


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_site()
    whole = Transformer(**TINY).fit(data)
    steps = 0
    step = Training._step

    def dies(self: Training, *given: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 8:
            raise Killed
        step(self, *given)

    again = Transformer(**TINY, checkpoint=str(tmp_path / "state.safetensors"), checkpoint_minutes=0)
    monkeypatch.setattr(Training, "_step", dies)
    with pytest.raises(Killed):
        again.fit(data)
    assert steps == 8 and (tmp_path / "state.safetensors").exists()
    again.fit(data)
    np.testing.assert_array_equal(again.item_vectors_, whole.item_vectors_)
    assert [epoch["loss"] for epoch in again.epochs_] == [epoch["loss"] for epoch in whole.epochs_]
    assert not (tmp_path / "state.safetensors").exists()


def test_a_checkpoint_of_other_data_is_not_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # what a kill after the last step leaves
        Transformer(**TINY, checkpoint=str(path), checkpoint_minutes=0).fit(small_site(seed=1))
    assert path.exists()
    resumed = Transformer(**TINY, checkpoint=str(path)).fit(small_site())
    np.testing.assert_array_equal(resumed.item_vectors_, Transformer(**TINY).fit(small_site()).item_vectors_)


def one_user(days: list[float]) -> Dataset:
    n = len(days)
    return Dataset.from_arrays(np.zeros(n, int), np.arange(n), timestamp=(np.array(days) * DAY).astype(np.int64))


def test_a_state_is_asked_for_the_next_item_or_for_all_of_the_next_days() -> None:
    data = one_user([0, 0, 1, 4, 20, 21])  # the last one validates
    of_next = Histories(Recipe(), data, 12)
    assert of_next.targets(np.random.default_rng(0)).tolist() == [1, 2, 3, 4, -1]
    coming = Histories(Recipe(objective="days", days=3, pause=0), data, 12)
    asked = [range(first, last) for first, last in zip(coming.first, coming.last, strict=True)]
    assert [list(rows) for rows in asked] == [[2], [2], [3], [], []]  # what has the same time does not come later
    later = Histories(Recipe(objective="days", days=20, pause=1), data, 12)
    asked = [range(first, last) for first, last in zip(later.first, later.last, strict=True)]
    assert [list(rows) for rows in asked] == [[3, 4], [3, 4], [3, 4], [4], []]
    drawn = {tuple(later.targets(np.random.default_rng(seed))) for seed in range(40)}
    assert drawn == {(a, b, c, 4, -1) for a in (3, 4) for b in (3, 4) for c in (3, 4)}


def test_a_state_weighs_what_its_items_can_add_to_ndcg_and_users_weigh_alike() -> None:
    later = Histories(Recipe(objective="days", days=20, pause=1), one_user([0, 0, 1, 4, 20, 21]), 12)
    two, one = 2 / (1 + 1 / np.log2(3)), 1.0  # n items over the ideal of n hits
    expected = np.array([two, two, two, one, 0]) / np.mean([two, two, two, one])
    np.testing.assert_allclose(later.weights, expected, rtol=1e-6)
    many = Histories(Recipe(objective="days", days=99, pause=0.5), one_user([0, *range(1, 40), 41]), 12)
    ideal = sum(1 / np.log2(place + 1) for place in range(1, 11))
    assert many.weights[0] / many.weights[-2] == pytest.approx(39 / ideal)  # against a state with one
    days = [0, 2, 3, *[0] * 6, 2, 3]  # a user with one item, then one with six, before what both have on day 2
    both = Dataset.from_arrays([0] * 3 + [1] * 8, np.arange(11), timestamp=np.array(days) * DAY)
    weights = Histories(Recipe(objective="days", days=9, pause=1), both, 12).weights
    assert weights[0] == pytest.approx(weights[2:8].sum())


def test_validation_is_the_last_item_or_the_last_days_and_is_not_learnt_from() -> None:
    data = one_user([0, 1, 2, 8.5, 9])
    last = Histories(Recipe(), data, 12)
    assert last.items.tolist() == [0, 1, 2, 3] and last.truth.indices.tolist() == [4]
    days = Histories(Recipe(validation_days=2), data, 12)
    assert days.items.tolist() == [0, 1, 2] and sorted(days.truth.indices) == [3, 4]
    with pytest.raises(DataRefused, match="last 30 days, which only validate"):
        Histories(Recipe(validation_days=30), data, 12)


def test_a_long_history_is_cut_from_its_end_and_every_item_is_read_once() -> None:
    histories = Histories(Recipe(), one_user([float(day) for day in range(32)]), 12)
    parts = sorted(zip(histories.part_starts.tolist(), histories.part_ends.tolist(), strict=True))
    assert parts == [(0, 6), (6, 18), (18, 30)]  # row 31 validates, and after row 30 nothing comes


def test_a_batch_holds_histories_of_like_length_and_all_are_taken_once() -> None:
    histories = Histories(Recipe(), small_site(n_users=400), 12)
    batches = histories.batches(np.random.default_rng(0), 64)
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(len(histories.part_starts)))
    lengths = histories.part_ends - histories.part_starts
    computed = sum(lengths[batch].max() * len(batch) for batch in batches)
    assert lengths.sum() / computed > 0.95


def successions(n_users: int = 200, n_items: int = 40) -> Dataset:
    """Whoever has item i has item i + 1 next."""
    start = np.random.default_rng(0).integers(0, n_items, n_users)
    items = (start[:, None] + np.arange(6)) % n_items
    users = np.repeat(np.arange(n_users), 6)
    return Dataset.from_arrays(users, items.ravel(), timestamp=np.tile(np.arange(6), n_users), n_items=n_items)


@pytest.mark.parametrize("loss", ["full", "sampled", "gbce"])
@pytest.mark.parametrize("block", BLOCKS)
def test_what_follows_is_learnt(loss: str, block: str) -> None:
    data = successions()
    settings = TINY | {"width": 16, "epochs": 40, "dropout": 0.0, "learning_rate": 0.01, "batch": 128, "patience": 40}
    model = Transformer(**settings, loss=loss, block=block, negatives=20).fit(data)
    users = np.arange(data.n_users)
    last = data.item_index[data.indptr[1:] - 1]
    found = model.recommend(data, users, 1).items[:, 0]
    assert (found == (last + 1) % data.n_items).mean() > 0.9


def test_the_best_weights_are_kept_and_training_ends_when_it_gets_no_better(caplog: pytest.LogCaptureFixture) -> None:
    data = successions()
    settings = TINY | {"epochs": 100, "patience": 3, "learning_rate": 0.05}
    with caplog.at_level(logging.INFO, "recmodels.training"):
        model = Transformer(**settings).fit(data)
    measured = [epoch["ndcg"] for epoch in model.epochs_]
    best = int(np.argmax(measured))
    assert len(measured) == best + 1 + 3 < 100
    again = Transformer(**settings | {"epochs": best + 1}).fit(data)
    np.testing.assert_array_equal(model.item_vectors_, again.item_vectors_)
    assert "validation NDCG@10" in caplog.text and "padding" in caplog.text


def test_the_best_so_far_is_taken_when_the_time_is_over() -> None:
    model = Transformer(**TINY | {"epochs": 50, "minutes": 1e-9}).fit(small_site())
    assert len(model.epochs_) == 1
    assert np.isfinite(model.item_vectors_).all()


def test_a_step_too_long_is_refused() -> None:
    with pytest.raises(NightrecError, match=r"diverged in epoch 1.*give a learning_rate below 1e"):
        Transformer(**TINY | {"epochs": 5}, learning_rate=1e30).fit(small_site())


def test_memory_that_is_short_halves_the_step_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gradients = Training._gradients

    def short(self: Training, parts: list[np.ndarray], *given: object) -> tuple[float, int]:
        if len(parts) == 1:
            raise torch.OutOfMemoryError
        return gradients(self, parts, *given)

    whole = Transformer(**TINY, dropout=0.0).fit(small_site())
    monkeypatch.setattr(Training, "_gradients", short)
    halved = Transformer(**TINY, dropout=0.0).fit(small_site())
    np.testing.assert_allclose(halved.item_vectors_, whole.item_vectors_, atol=1e-4)  # the same gradient, in two parts
    assert "steps are now taken in 2 parts" in caplog.text


def test_two_devices_learn_what_one_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Transformer(**TINY, dropout=0.0).fit(small_site())
    monkeypatch.setattr(device, "names", lambda: ["cpu", "cpu"])
    two = Transformer(**TINY, dropout=0.0).fit(small_site())
    np.testing.assert_allclose(two.item_vectors_, one.item_vectors_, atol=1e-5)
    assert [epoch["ndcg"] for epoch in two.epochs_] == [epoch["ndcg"] for epoch in one.epochs_]


def test_what_fails_on_one_of_several_devices_is_said_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "names", lambda: ["cpu", "cpu"])
    with pytest.raises(NightrecError, match=r"^The transformer diverged in epoch 1.*give a learning_rate below 1e"):
        Transformer(**TINY | {"epochs": 5}, learning_rate=1e30).fit(small_site())


def test_an_unknown_user_is_served_by_history_alone() -> None:
    data = small_site()
    model = Transformer(**TINY, user_embedding=True).fit(data)
    larger = Dataset.from_arrays([*data.user_index, 50], [*data.item_index, 3], n_users=60, n_items=N_ITEMS)
    assert (model.recommend(larger, np.array([50]), 5).items >= 0).all()


def test_the_reason_is_the_item_without_which_the_score_is_lowest() -> None:
    """Against lists for histories from which one item was really taken."""
    data = small_site()
    model = Transformer(**TINY).fit(data)
    users = np.array([2, 7, 11])
    top = model.recommend(data, users, 4)
    for user, items, reasons in zip(users, top.items, model.explain(data, users, top), strict=True):
        history = data.item_index[data.indptr[user] : data.indptr[user + 1]][-12:]
        score = model._user_vectors(data, np.array([user], np.int32))[0] @ model.item_vectors[items].T
        left = []
        for item in history:
            rest = Dataset.from_arrays(np.zeros(len(history) - 1, int), history[history != item], n_items=N_ITEMS)
            left.append(model._user_vectors(rest, np.zeros(1, np.int32))[0] @ model.item_vectors[items].T)
        lost = score - np.array(left)  # [history, items]
        expected = np.where(lost.max(axis=0) > 0, history[lost.argmax(axis=0)], -1)
        assert reasons.tolist() == expected.tolist()


def test_what_follows_an_item_is_explained_by_it() -> None:
    data = successions()
    settings = TINY | {"width": 16, "epochs": 40, "dropout": 0.0, "learning_rate": 0.01, "batch": 128, "patience": 40}
    model = Transformer(**settings).fit(data)
    users = np.arange(data.n_users)
    reasons = model.explain(data, users, model.recommend(data, users, 1))[:, 0]
    assert (reasons == data.item_index[data.indptr[1:] - 1]).mean() > 0.9


def test_files_hold_the_network_by_the_names_of_its_parameters(tmp_path: Path) -> None:
    Transformer(**TINY, content=True).fit(small_site()).save(tmp_path)
    from safetensors.numpy import load_file

    names = load_file(tmp_path / "model.safetensors").keys()
    assert {"item_vectors_", "network.blocks.0.attention.qkv.weight_"} <= names
    assert not any("projection" in name for name in names)  # it is in the items' vectors
    assert json.loads((tmp_path / "model.json").read_text())["recommender"] == "transformer"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"width": 9, "heads": 2}, "not a multiple"),
        ({"cross": True}, "set user_embedding too"),
        ({"loss": "bce"}, "there are: full, sampled, gbce"),
        ({"block": "hstu"}, "there are: sasrec, ligr, bsarec"),
        ({"dropout": 1.0}, "from 0 to below 1"),
        ({"days": 7, "pause": 8}, "pause 8 lies from 0 to below days"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Transformer(**parameters).fit(small_site())
