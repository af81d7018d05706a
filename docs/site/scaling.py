"""Makes the tables and pictures of docs/scaling.md from docs/scaling.json: ``python -m docs.site.scaling``.

`python -m tests.benchmarks.scaling` measured what is there.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from docs.site.curves import ROOT, Measured
from docs.site.growth import Line
from docs.site.laws import Range, Saturating, Slope, Straight
from docs.site.plots import Panel, drawing
from docs.site.tables import filled, markdown

FILE = ROOT / "docs" / "scaling.json"
PAGE, IMAGES = ROOT / "docs" / "scaling.md", ROOT / "docs" / "images"
TITLES = {"beauty": "Beauty", "ml1m": "MovieLens 1M"}
SIZES: Mapping[str, tuple[float, float, float]] = {"dim": (32, 64, 128), "layers": (1, 2, 3), "share": (0.25, 0.5, 1.0)}
"""What is varied, from small to large; the middle ones are what others are compared with."""
DOUBLED = ("the width", "the layers", "the users")
SHARES = {0.25: "a quarter", 0.5: "a half", 1.0: "all"}
CERTAIN = 2
"""Standard errors from which on a gain is called one."""


class Figure(Measured):
    """A mean over users, and that of the differences from the middle sizes, with standard errors."""

    value: float
    error: float
    gained: float | None = None
    """None where the middle was not measured."""
    gained_error: float | None = None


class Point(Measured):
    """A Transformer of some size, trained on some users."""

    dim: int
    layers: int
    share: float
    """Of the users that are trained on."""
    users: int
    interactions: int
    network_parameters: int
    vector_parameters: int
    """Of the items that were trained on."""
    hr: Figure
    ndcg: Figure
    validation_ndcg: float
    """Of the item before, by which the best epoch is known."""
    epochs: int
    best_epoch: int
    bounded: bool
    """Whether it might have gone on."""
    train_cpu_seconds: float
    """Validations and the loading of PyTorch included."""
    list_cpu_seconds: float
    """Of the measured users."""
    peak_bytes: int
    commit: str
    date: str


class Study(Measured):
    """Points of one data set, and the laws that were fitted to them."""

    users: int
    """Who are measured."""
    parameters: dict[str, object]
    """Of the middle size, on all users."""
    cpu: str
    points: list[Point]
    straight: dict[str, Straight]
    """Of `ndcg` and `hr`, and of the binary logarithms of `train_cpu_seconds` and `list_cpu_seconds`."""
    by_share: dict[float, Straight]
    """Of `ndcg`, by width and layers alone, for each share of the users."""
    saturating: Saturating | None
    """Of `ndcg`, by the network's parameters and by interactions."""


class Measurements(Measured):
    """The studies by data set."""

    studies: dict[str, Study]


def read(path: Path = FILE) -> Measurements:
    return Measurements.model_validate_json(path.read_bytes())


def main() -> None:
    found = read()
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    for path, picture in pictures(found).items():
        path.write_text(picture, encoding="utf-8")


def page(text: str, found: Measurements) -> str:
    """The page with what is between its marks made anew."""
    return filled(text, {name: made(found) for name, made in SECTIONS.items()})


def pictures(found: Measurements) -> dict[Path, str]:
    return {IMAGES / f"scaling-{name}.svg": _picture(TITLES[name], study) for name, study in found.studies.items()}


def _picture(title: str, study: Study) -> str:
    """A panel a depth, with a line a share of the users and a point a width."""
    seconds = _round([point.train_cpu_seconds for point in study.points])
    ndcg = [point.ndcg.value for point in study.points]
    ticks = [n / 100 for n in range(int(100 * min(ndcg)), int(100 * max(ndcg)) + 2)]
    panels = []
    for layers in SIZES["layers"]:
        lines = [_line(study, layers, share) for share in reversed(SIZES["share"])]
        if any(line.sizes for line in lines):
            what = f"{title}, {layers} layer{'s' * (layers > 1)}: NDCG@10"
            panels.append(Panel(what, lines, ticks, "{:.2f}".format, (ticks[0], ticks[-1])))
    return drawing(panels, seconds, "{:g}".format, "CPU seconds of training")


def _line(study: Study, layers: float, share: float) -> Line:
    points = [point for point in study.points if (point.layers, point.share) == (layers, share)]
    sizes, values = [point.train_cpu_seconds for point in points], [point.ndcg.value for point in points]
    marks = [str(point.dim) for point in points]
    return Line(f"{SHARES[share]} of the users", sizes, values, [point.bounded for point in points], marks)


def _round(values: Sequence[float]) -> list[float]:
    """Round numbers from below the least to above the largest value."""
    steps = [base * 10.0**power for power in range(-1, 6) for base in (1, 2, 5)]
    below, above = (max(step for step in steps if step <= min(values)), min(s for s in steps if s >= max(values)))
    return [step for step in steps if below <= step <= above]


def words(found: Measurements) -> str:
    """What a doubling of each size buys, in a sentence a data set."""
    return "\n".join(_words(TITLES[name], study) for name, study in found.studies.items()) + "\n"


def _words(title: str, study: Study) -> str:
    start = f"- **{title}** ({len(study.points)} of 27 points measured, {study.users:,} users): "
    if not study.straight:
        return start + "too few for a law."
    ndcg, costs = study.straight["ndcg"], study.straight["train_cpu_seconds"]
    parts = [
        f"twice {what} {_gain(slope, ndcg.middle)} and takes {2**cost.value:.1f} times the training"
        for what, slope, cost in zip(DOUBLED, ndcg.slopes, costs.slopes, strict=True)
    ]
    return f"{start}{'; '.join(parts)}."


def _gain(slope: Slope, middle: float) -> str:
    error = max(slope.error, slope.users_error or 0.0)
    size = f"{slope.value:+.4f} ± {error:.4f} NDCG@10, {slope.value / middle:+.1%}"
    if abs(slope.value) < CERTAIN * error:
        return f"changes nothing beyond chance ({size})"
    return f"{'helps' if slope.value > 0 else 'hurts'} ({size})"


def gains(found: Measurements) -> str:
    """What a doubling of each size adds to accuracy, and multiplies costs by."""
    rows = []
    for name, study in found.studies.items():
        laws = study.straight
        for n, what in enumerate(DOUBLED if laws else ()):
            ndcg, hr = laws["ndcg"].slopes[n], laws["hr"].slopes[n]
            train, lists = laws["train_cpu_seconds"].slopes[n], laws["list_cpu_seconds"].slopes[n]
            each = f"{ndcg.value / train.value:+.4f}" if train.value > CERTAIN * train.error else "-"
            rows.append([TITLES[name], what, _slope(ndcg), _slope(hr), _factor(train), _factor(lists), each])
    head = ["", "twice", "NDCG@10", "HR@10", "CPU s of training, times", "CPU s of lists, times"]
    return _table([*head, "NDCG@10 for twice the training"], rows)


def _slope(slope: Slope) -> str:
    return f"{slope.value:+.4f} ± {slope.error:.4f} ± {slope.users_error or 0:.4f}"


def _factor(slope: Slope) -> str:
    """Of the binary logarithm of a cost."""
    low, high = (2 ** (slope.value + side * slope.error) for side in (-1, 1))
    return f"{2**slope.value:.2f} ({low:.2f} to {high:.2f})"


def shares(found: Measurements) -> str:
    """What a larger network adds, for each share of the users."""
    rows = [
        [TITLES[name], SHARES[share], f"{law.middle:.4f}", *(_slope(slope) for slope in law.slopes)]
        for name, study in found.studies.items()
        for share, law in study.by_share.items()
    ]
    return _table(["", "users", "NDCG@10 of 64, 2", "twice the width", "twice the layers"], rows)


def ceilings(found: Measurements) -> str:
    """Whether a law with a ceiling says more than straight lines."""
    rows = []
    for name, study in found.studies.items():
        if (law := study.saturating) is None:
            continue
        network, data = (_range(one, "{:.2f}") for one in law.exponents)
        ceiling = "none" if law.ceiling is None else _range(law.ceiling, "{:.4f}")
        straight = f"{study.straight['ndcg'].residual:.4f}"
        rows.append([TITLES[name], network, data, ceiling, f"{law.residual:.4f}; {straight}", f"{law.p:.3f}"])
    head = ["", "exponent of the network", "of interactions", "ceiling of NDCG@10"]
    return _table([*head, "points off it; off the straight lines", "p of straight lines in both"], rows)


def _range(found: Range, how: str) -> str:
    value = "-" if found.value is None else how.format(found.value)
    return f"{value} ({how.format(found.low)} to {'any' if found.high is None else how.format(found.high)})"


def images(found: Measurements) -> str:
    """A picture a data set."""
    lines = [f"![{TITLES[name]}: NDCG@10 by CPU seconds](images/scaling-{name}.svg)\n" for name in found.studies]
    return "\n".join(lines)


def points(found: Measurements) -> str:
    """All that was measured."""
    rows = []
    for name, study in found.studies.items():
        for point in study.points:
            sizes = f"{TITLES[name]}: {point.dim}, {point.layers}, {SHARES[point.share]}"
            numbers = f"{point.network_parameters / 1e3:,.0f}; {point.vector_parameters / 1e3:,.0f}"
            passes = f"{point.best_epoch} of {point.epochs}{'+' * point.bounded}"
            seconds = f"{point.train_cpu_seconds:,.0f}", f"{point.list_cpu_seconds:.1f}"
            figures = _figure(point.ndcg), _figure(point.hr)
            rows.append([sizes, numbers, *figures, passes, *seconds, f"{point.peak_bytes / 1e6:,.0f}"])
    head = ["width, layers, users", "parameters, thousands: network; items", "NDCG@10", "HR@10", "best pass"]
    return _table([*head, "CPU s of training", "CPU s of lists", "peak MB"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    return markdown(head, rows) if rows else "Too few points are measured so far.\n"


def _figure(figure: Figure) -> str:
    value = f"{figure.value:.4f} ± {figure.error:.4f}"
    return value if not figure.gained_error else f"{value} ({figure.gained:+.4f} ± {figure.gained_error:.4f})"


def measured(found: Measurements) -> str:
    """Where and when."""
    every = [point for study in found.studies.values() for point in study.points]
    dates, commits = sorted({point.date for point in every}), sorted({point.commit for point in every})
    cpus = sorted({study.cpu for study in found.studies.values()})
    return f"Measured on {' and '.join(dates)}, one thread ({', '.join(cpus)}), commit {', '.join(commits)}.\n"


SECTIONS: dict[str, Callable[[Measurements], str]] = {
    "measured": measured,
    "words": words,
    "gains": gains,
    "shares": shares,
    "ceilings": ceilings,
    "images": images,
    "points": points,
}
"""What the page has between its marks, by their names."""


if __name__ == "__main__":
    main()
