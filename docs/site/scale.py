"""Makes what follows from docs/curves.json: the tables and pictures of docs/scale.md, and the speeds of estimates.

``python -m docs.site.scale``
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from docs.site import speeds
from docs.site.billion import bottlenecks, machines
from docs.site.cluster import clusters
from docs.site.curves import ROOT, Curves, Night, read
from docs.site.growth import Line, model_lines, stage_lines
from docs.site.plots import Panel, drawing
from docs.site.tables import filled, markdown

PAGE, IMAGES = ROOT / "docs" / "scale.md", ROOT / "docs" / "images"
GIB = 2**30
SOME = ("popularity", "item_knn", "als")
SECONDS = [10.0**power for power in range(-2, 6)]
GIBIBYTES = [2.0**power for power in range(-4, 9)]
TELLING = 1.0
"""CPU seconds: less says nothing of growth."""
MEMORY, LISTS = "memory of", "lists for as many users by"
STEEP = 1.1
"""An exponent above this is more than linear: beyond what is measured twice the same."""

SEARCHED = "A score is a product of vectors, and there are more items to search."
LOOKED_UP = "Histories are longer, and each of their items has its neighbors."
SMALL = "Less than a second for a million users."
EIGEN = "Eigenvectors cost as much for each item and rank; the neighbors, what those of EASE do."
POPULAR = (
    "An item is regressed on its neighbors, of which most are popular: their columns grow with all interactions, "
    "and there are as many regressions as items."
)
CAUSES: Mapping[tuple[str, str], str] = {
    (
        "CPU seconds of",
        "prepare",
    ): "What does not fit into memory is prepared by ranges of users, whose rows are written and read.",
    ("CPU seconds of", "popularity_7d"): "About a second: it alone reads when each interaction was.",
    ("CPU seconds of", "ease"): POPULAR,
    ("CPU seconds of", "graph_filter"): EIGEN,
    (LISTS, "content"): "A user's terms are compared with those of all items.",
    **dict.fromkeys([(LISTS, name) for name in ("als", "bpr", "hybrid", "graph_filter", "transformer")], SEARCHED),
    **dict.fromkeys([(LISTS, name) for name in ("item_knn", "ease")], LOOKED_UP),
    **dict.fromkeys([(LISTS, name) for name in ("popularity", "popularity_7d")], SMALL),
}
"""Why something grows faster than the interactions or the users."""


def main() -> None:
    speeds.main([])  # first, as the page has estimates
    curves = read()
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), curves), encoding="utf-8")
    for path, picture in pictures(curves).items():
        path.write_text(picture, encoding="utf-8")


def page(text: str, curves: Curves) -> str:
    """The page with what is between its marks made anew."""
    return filled(text, {name: made(curves) for name, made in SECTIONS.items()})


def pictures(curves: Curves) -> dict[Path, str]:
    sizes = [night.interactions for night in curves.nights]

    def drawn(time: Sequence[Line], memory: Sequence[Line], what: str) -> str:
        panels = [
            Panel(f"{what}: CPU seconds", time, SECONDS, "{:g}".format),
            Panel(f"{what}: most memory, GiB", memory, GIBIBYTES, "{:g}".format),
        ]
        return drawing(panels, sizes, _millions, "interactions")

    return {
        IMAGES / "curves-stages.svg": drawn(_times(curves), _memory(curves), "Stages"),
        IMAGES / "curves-models.svg": drawn(_fits(curves), _model_memory(curves), "Models"),
    }


def _times(curves: Curves) -> list[Line]:
    return stage_lines(curves, lambda stage: stage.cpu_seconds)


def _memory(curves: Curves) -> list[Line]:
    return stage_lines(curves, lambda stage: stage.peak_bytes / GIB)


def _fits(curves: Curves) -> list[Line]:
    return model_lines(curves, lambda model: model.fit_cpu_seconds, of_time=True)


def _lists(curves: Curves) -> list[Line]:
    """CPU seconds of lists for a million users."""
    return model_lines(curves, lambda model: 1e6 * model.list_cpu_seconds / model.listed_users)


def _model_memory(curves: Curves) -> list[Line]:
    return model_lines(curves, lambda model: model.peak_bytes / GIB)


def expect(curves: Curves) -> str:
    """What a night of each size takes."""
    rows = [
        [
            f"{night.interactions / 1e6:,.0f} million",
            f"{night.users:,}; {night.items:,}",
            f"{_of_some(night):,.0f} s",
            f"{len(night.models)}: {night.seconds:,.0f} s ({night.cpu_seconds:,.0f})",
            f"{night.process_bytes / GIB:,.1f} GiB",
            f"{night.peak_bytes / GIB:,.1f} GiB",
            f"{night.disk_bytes / GIB:,.1f} GiB",
        ]
        for night in curves.nights
    ]
    head = [
        "interactions",
        "users; items",
        ", ".join(SOME),
        "all that were trained (CPU)",
        "a process",
        "all at a time",
        "disk",
    ]
    return f"{_where(curves)}\n\n" + markdown(head, rows)


def _of_some(night: Night) -> float:
    """Seconds of the night without the models that only the curves have."""
    others = {model.name for model in night.models if not model.name.startswith(SOME)}
    return night.seconds - sum(s.seconds for s in night.stages if s.name.partition(" ")[2] in others)


def _where(curves: Curves) -> str:
    machine, dates = curves.machine, sorted({night.date for night in curves.nights})
    commits = sorted({night.commit for night in curves.nights})
    return (
        f"Measured on {machine.cores} cores ({machine.cpu}), {machine.memory / GIB:.0f} GiB, on {' and '.join(dates)} "
        f"(commit{'s' * (len(commits) > 1)} {', '.join(commits)})."
    )


def after(curves: Curves) -> str:
    """What the nights after took, beside the first ones."""
    parts = {"the data": ("ingest", "validate", "prepare", "features"), "trainings": ("train",), "export": ("export",)}
    rows = [
        [
            f"{night.interactions / 1e6:,.0f} million",
            f"{night.after.seconds:,.0f} s ({night.after.cpu_seconds:,.0f})",
            f"{night.after.seconds / night.seconds:.2f}",
            *(f"{_seconds(night.after, names) / _seconds(night, names):.2f}" for names in parts.values()),
        ]
        for night in curves.nights
        if night.after is not None
    ]
    return markdown(["interactions", "the night after (CPU)", "of the first", *parts], rows)


def _seconds(night: Night, names: Sequence[str]) -> float:
    return sum(stage.seconds for stage in night.stages if stage.name.partition(" ")[0] in names)


def stages(curves: Curves) -> str:
    """CPU seconds, memory and disk of each stage."""
    times, memory = _times(curves), {line.name: line for line in _memory(curves)}
    disk = {line.name: line for line in stage_lines(curves, lambda stage: stage.disk_bytes / 1e6)}
    largest = curves.nights[-1]
    rows = [
        [
            f"`{line.name}`",
            *(_cell(line, memory[line.name], night) for night in curves.nights),
            _exponent(line, TELLING),
            _exponent(memory[line.name]),
            _figure(disk[line.name].at(largest.interactions), "{:,.0f}"),
        ]
        for line in times
    ]
    return markdown([*_head(curves, "stage"), f"MB left at {_millions(largest.interactions)}"], rows)


def models(curves: Curves) -> str:
    """CPU seconds and memory of each model's training, and CPU seconds of lists for a million users."""
    times, memory = _fits(curves), {line.name: line for line in _model_memory(curves)}
    lists = {line.name: line for line in _lists(curves)}
    ends = curves.nights[0], curves.nights[-1]
    rows = [
        [
            f"`{line.name}`",
            *(_cell(line, memory[line.name], night) for night in curves.nights),
            _exponent(line, TELLING),
            _exponent(memory[line.name]),
            *(_figure(lists[line.name].at(night.interactions), "{:,.0f}") for night in ends),
            _exponent(lists[line.name], TELLING),
        ]
        for line in times
    ]
    more = [f"lists of a million users, CPU s: {_millions(night.interactions)}" for night in ends]
    return markdown([*_head(curves, "model"), more[0], more[1].rpartition(": ")[2], "e"], rows)


def _head(curves: Curves, what: str) -> list[str]:
    sizes = [_millions(night.interactions) for night in curves.nights]
    return [what, f"CPU s; GiB: {sizes[0]}", *sizes[1:], "e of CPU s", "e of GiB"]


def _cell(time: Line, memory: Line, night: Night) -> str:
    held = _figure(memory.at(night.interactions), "{:,.1f}")
    return f"{_figure(time.at(night.interactions), '{:,.1f}')}; {held}"


def _figure(found: tuple[float, bool] | None, how: str) -> str:
    if found is None:
        return "-"
    value, bounded = found
    return (how if value < 100 else "{:,.0f}").format(value) + "+" * bounded


def _exponent(line: Line, least: float = 0.0) -> str:
    found = line.exponent(least)
    return "-" if found is None else f"{found:.2f}"


def steep(curves: Curves) -> str:
    """What grows faster than the interactions, with its causes."""
    kinds = [
        ("CPU seconds of", _times(curves) + _fits(curves), STEEP),
        (MEMORY, _memory(curves) + _model_memory(curves), STEEP),
        (LISTS, _lists(curves), STEEP - 1),
    ]
    lines = [
        f"- {kind} `{line.name}`: {e:.2f}. {CAUSES.get((kind, line.name), '')}".rstrip()
        for kind, found, limit in kinds
        for line in found
        if (e := line.exponent(0 if kind == MEMORY else TELLING)) is not None and e > limit
    ]
    return "\n".join(lines or ["Nothing."]) + "\n"


def _millions(size: float) -> str:
    return f"{size / 1e6:,.0f} M"


SECTIONS: dict[str, Callable[[Curves], str]] = {
    "expect": expect,
    "after": after,
    "stages": stages,
    "models": models,
    "steep": steep,
    "machines": lambda _: machines(),
    "bottlenecks": lambda _: bottlenecks(),
    "clusters": lambda _: clusters(),
}
"""What the page has between its marks, by their names."""


if __name__ == "__main__":
    main()
