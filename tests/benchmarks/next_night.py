"""What a night costs whose log has a day more than the last: ``python -m tests.benchmarks.next_night [MILLIONS]``.

The nights are those of `tests.benchmarks.curves`, with the same models and settings: one of all of the site's files,
and one a day later, with a further file of that day, some 1 % of the rows. Printed are the seconds and CPU seconds of
each stage and training in both, the sums of the stages of data and of the trainings, and the NDCG@10 of each model with
its standard error. With ``--fresh`` the second night is run from nothing, too: what a model is measured at then is what
continuing must not lose. The first night is kept in ``--work``, where `curves` finds it as measured.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from docs.site.curves import Night, Stage
from tasks.store.files import read_json
from tests.benchmarks import curves

DATA = ("ingest", "validate", "prepare", "features")


def main(arguments: list[str] | None = None) -> int:
    """Run the nights that are missing, and print what they took."""
    options = _options(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    size = options.size
    nights = [_kept(options, f"{size}m.json", curves.DATE, curves.linked(size, options))]
    site = curves.linked(size, options, after=True)
    nights.append(_kept(options, f"next-{size}m-after.json", curves.NEXT, site, after=True))
    scores = [_scores(options.work / f"store-{size}m", night) for night in (curves.DATE, curves.NEXT)]
    if options.fresh:
        moved = options.work / f"continued-{size}m"
        (options.work / f"store-{size}m").rename(moved)
        nights.append(_kept(options, f"next-{size}m-fresh.json", curves.NEXT, site))
        scores.append(_scores(options.work / f"store-{size}m", curves.NEXT))
        shutil.rmtree(moved)
    show(nights, scores)
    return 0


def show(nights: list[Night], scores: list[dict[str, str]]) -> None:
    """Print the table: a line a stage, the last columns those of the night from nothing, if there is one."""
    found = [{stage.name: stage for stage in night.stages} for night in nights]
    print("| stage |" + " s | CPU s | NDCG@10 |" * len(nights) + " second / first |")
    print("|---|" + "---|" * (3 * len(nights) + 1))
    for name in found[0]:
        stages = [one.get(name) for one in found]
        cells = [_cells(stage, score.get(name, "")) for stage, score in zip(stages, scores, strict=True)]
        print(f"| {name} | {' | '.join(cells)} | {_ratio(stages[:2])} |")
    for title, of in (("the data", DATA), ("trainings", ("train",))):
        sums = [_sum(one, of) for one in found]
        print(f"| **{title}** | {' | '.join(_cells(one, '') for one in sums)} | **{_ratio(sums[:2])}** |")


def _sum(stages: dict[str, Stage], of: tuple[str, ...]) -> Stage:
    chosen = [stage for name, stage in stages.items() if name.partition(" ")[0] in of]
    seconds, cpu = (sum(getattr(stage, figure) or 0.0 for stage in chosen) for figure in ("seconds", "cpu_seconds"))
    return Stage(name="", seconds=seconds, cpu_seconds=cpu, peak_bytes=0, disk_bytes=0)


def _cells(stage: Stage | None, score: str) -> str:
    return f"{stage.seconds:.1f} | {stage.cpu_seconds or 0:.1f} | {score}" if stage else "- | - | "


def _ratio(stages: list[Any]) -> str:
    first, second = stages
    return f"{second.seconds / first.seconds:.2f}" if second and first.seconds else ""


def _kept(options: argparse.Namespace, name: str, night: str, site: Path, after: bool = False) -> Night:
    """The night of that date, run now if it was not before."""
    kept: Path = options.work / name
    if not kept.exists():
        found = curves.measured(options.size, site, options, night, after)
        kept.write_text(found.model_dump_json())
    return Night.model_validate_json(kept.read_bytes())


def _scores(store: Path, night: str) -> dict[str, str]:
    """NDCG@10 of each model, and its standard error over users (that of an interval of 95 %)."""
    found = {}
    for folder in (store / "nights" / night / "metrics").iterdir():
        summary = (read_json(folder / "manifest.json") or {}).get("summary", {})
        if "metrics" in summary:
            ndcg = summary["metrics"]["ndcg"]
            found[f"train {folder.name}"] = f"{ndcg['value']:.4f} ± {(ndcg['high'] - ndcg['low']) / 2 / 1.96:.4f}"
    return found


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.next_night", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("size", nargs="?", type=int, default=10, choices=curves.SITES, metavar="MILLIONS", help="[10]")
    parser.add_argument("--fresh", action="store_true", help="the second night from nothing, too")
    curves.add_options(parser)
    options = curves.finished(parser.parse_args(arguments))
    options.keep = True
    return options


if __name__ == "__main__":
    sys.exit(main())
