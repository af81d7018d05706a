"""Labels of a chart cover neither points nor each other."""

from itertools import combinations

from tasks.report.labels import label_offsets, overlap


def test_labels_are_next_to_their_points_and_cover_no_other() -> None:
    points = [(20.0, 20.0), (24.0, 26.0), (200.0, 150.0), (214.0, 146.0), (262.0, 150.0)]
    labels = ["popularity", "popularity_7d", "ease", "als", "content"]
    offsets = label_offsets(points, labels)
    boxes = []
    for (x, y), (dx, dy), label in zip(points, offsets, labels, strict=True):
        left = x + dx - len(label) * 5.6 * {True: 0.5, False: float(dx < 0)}[dx == 0]
        boxes.append((left, y + dy - 6, left + len(label) * 5.6, y + dy + 6))
    assert not any(overlap(one, other) for one, other in combinations(boxes, 2))
    assert not any(overlap(one, (x - 5, y - 5, x + 5, y + 5)) for one in boxes for x, y in points)
    assert all(abs(dx) + abs(dy) < 32 for dx, dy in offsets)
