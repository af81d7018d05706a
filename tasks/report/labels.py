"""Where the labels of a scatter chart go, so that they cover neither points nor each other."""

AREA = 280, 175  # units that the axes of a chart take, roughly


LETTER = 6.2, 13  # the units of a letter's width and of a line's height


OFFSETS = [(dx * far, dy * far) for far in (1, 1.6, 2.4, 3.4) for dx, dy in (
    (9, 0), (-9, 0), (0, 11), (0, -11), (9, 10), (9, -10), (-9, 10), (-9, -10))]  # fmt: skip


def label_offsets(points: list[tuple[float, float]], labels: list[str]) -> list[tuple[float, float]]:
    """Where each label goes, as an offset from its point: the nearest place that covers no point and no label."""
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    found = []
    for (x, y), label in zip(points, labels, strict=True):
        width = LETTER[0] * len(label)
        boxes = []
        for dx, dy in OFFSETS:
            left = x + dx - (width / 2 if dx == 0 else width if dx < 0 else 0)
            boxes.append((left, y + dy - LETTER[1] / 2, left + width, y + dy + LETTER[1] / 2))
        n = next((n for n, box in enumerate(boxes) if _inside(box) and not any(overlap(box, one) for one in taken)), 0)
        taken.append(boxes[n])
        found.append(OFFSETS[n])
    return found


def _inside(box: tuple[float, float, float, float]) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= AREA[0] and box[3] <= AREA[1]


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
