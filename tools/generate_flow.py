"""Draws the picture of the flow for the README, once for light pages and once for dark ones.

With --check it only says whether a picture is out of date.
"""

import argparse
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "images"
WIDTH, HEIGHT = 880, 330
FONT = "ui-sans-serif, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

STARTS = ("mlops-config release", "uses: org/mlops-config-action@v1", "git push origin release/v1.2.0")
FILES = ("training", "inference", "monitoring", "retrain")
STAGES = (
    ("contract", "models and rules", "findings at", "file:line:column"),
    ("bundle", "the four files", "config digest", "sha256:…"),
    ("image", "one tiny layer", "opened, proven", "tag = commit"),
    ("store", "write-once", "file · s3 · oci", "current pointer"),
    ("release", "record and notes", "job summary", "PR · release page"),
)
RECORD = "one release record, fuller after every stage"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one variant, readable on GitHub's page of that kind."""

    ink: str
    soft: str
    line: str
    box: str
    accent: str
    accent_box: str


PALETTES = {
    "light": Palette("#1f2328", "#59636e", "#8c959f", "#f6f8fa", "#0969da", "#ddf4ff"),
    "dark": Palette("#f0f6fc", "#9198a1", "#6e7681", "#161b22", "#4493f8", "#0d2747"),
}


def text(
    x: float, y: float, content: str, *, size: float, fill: str, weight: int = 400, mono: bool = False
) -> str:
    """Centred text."""
    family = MONO if mono else FONT
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="middle" font-family="{family}" font-size="{size:g}" '
        f'font-weight="{weight}" fill="{fill}">{escape(content)}</text>'
    )


def box(x: float, y: float, width: float, height: float, *, fill: str, stroke: str) -> str:
    """A rounded rectangle."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="1.2"/>'
    )


def arrow(x1: float, y1: float, x2: float, y2: float, *, stroke: str) -> str:
    """A straight line with a head."""
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{stroke}" stroke-width="1.6" '
        f'marker-end="url(#head)"/>'
    )


def picture(palette: Palette) -> str:
    """The whole SVG."""
    left, stage_width, gap, top, height = 176.0, 122.0, 20.0, 96.0, 104.0
    middle = top + height / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="title">',
        '<title id="title">Four YAML files pass contract, bundle, image, store and release; '
        "one release record grows on the way.</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" '
        'markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{palette.line}"/></marker></defs>',
    ]
    span = WIDTH - left - 8
    for number, start in enumerate(STARTS):
        width = (span - 2 * 16) / 3
        x = left + number * (width + 16)
        parts.append(box(x, 12, width, 32, fill="none", stroke=palette.line))
        parts.append(text(x + width / 2, 32.5, start, size=11, fill=palette.ink, mono=True))
    parts.append(arrow(left + span / 2, 48, left + span / 2, top - 10, stroke=palette.line))
    parts.append(text(left + span / 2 + 84, 74, "three ways in, one job", size=12, fill=palette.soft))

    parts.append(text(78, top - 10, "configs/prod/", size=12.5, fill=palette.ink, weight=600, mono=True))
    for number, kind in enumerate(FILES):
        y = top + number * 27
        parts.append(box(8, y, 140, 22, fill=palette.box, stroke=palette.line))
        parts.append(text(78, y + 15, f"{kind}_config.yaml", size=9.6, fill=palette.ink, mono=True))
    parts.append(arrow(152, middle, left - 3, middle, stroke=palette.line))

    for number, (name, what, makes, more) in enumerate(STAGES):
        x = left + number * (stage_width + gap)
        centre = x + stage_width / 2
        parts.append(box(x, top, stage_width, height, fill=palette.box, stroke=palette.accent))
        parts.append(text(centre, top + 25, name, size=15, fill=palette.accent, weight=600))
        parts.append(text(centre, top + 44, what, size=11.5, fill=palette.soft))
        parts.append(text(centre, top + 73, makes, size=12, fill=palette.ink))
        parts.append(text(centre, top + 90, more, size=12, fill=palette.ink))
        if number:
            parts.append(arrow(x - gap + 2, middle, x - 3, middle, stroke=palette.line))
        parts.append(arrow(centre, top + height + 3, centre, 237, stroke=palette.line))

    parts.append(box(left, 240, span, 34, fill=palette.accent_box, stroke=palette.accent))
    parts.append(text(left + span / 2, 262, RECORD, size=13, fill=palette.ink, weight=600))
    parts.append(text(78, 262, "release.json", size=12.5, fill=palette.ink, weight=600, mono=True))
    promise = "same bytes, same digest: nothing changed, nothing published · nothing is ever overwritten"
    parts.append(text(left + span / 2, 304, promise, size=12, fill=palette.soft))
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> int:
    """Exit code 1 when --check finds a picture out of date."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--check", action="store_true", help="write nothing; fail when a picture is out of date"
    )
    check = arguments.parse_args().check
    stale = []
    for variant, palette in PALETTES.items():
        file, made = FOLDER / f"flow-{variant}.svg", picture(palette)
        if check:
            if not file.exists() or file.read_text(encoding="utf-8") != made:
                stale.append(file.relative_to(ROOT))
        else:
            FOLDER.mkdir(parents=True, exist_ok=True)
            file.write_text(made, encoding="utf-8")
    if stale:
        print(f"out of date: {', '.join(map(str, stale))}: run `make docs`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
