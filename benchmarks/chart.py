"""Panels -> an SVG bar chart, in colours for a light page and for a dark one."""

from collections.abc import Iterator, Sequence
from html import escape

from result import Panel, Target, show

WIDTH, LABELS, FIGURES = 775, 225, 70
HEAD, LINE, GAP, THICK = 44, 22, 18, 14
OURS = "qstash-jobs"
LEFT_OUT = ("raw",)
"""What is measured only to show what the load server can do."""

STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.unit, .figure { fill: #57606a; }
.other { fill: #b6bec8; }
.ours { fill: #0b7a75; }
.spread { stroke: #1f2328; }
.target { stroke: #c2410c; stroke-width: 2; stroke-dasharray: 4 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .unit, .figure { fill: #9da7b3; }
  .other { fill: #4b5563; }
  .ours { fill: #2dd4bf; }
  .spread { stroke: #e6edf3; }
  .target { stroke: #fb923c; }
}"""


def draw(panels: Sequence[Panel], targets: Sequence[Target]) -> str:
    """Draw the panels one below the other; a dashed line is the target that a panel's ratio has."""
    parts: list[str] = []
    top = 10
    for panel in panels:
        bars = [bar for bar in panel.bars if bar.name not in LEFT_OUT]
        parts += draw_panel(panel, targets, top)
        top += HEAD + LINE * len(bars) + GAP
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img"'
                ' aria-label="How fast qstash-jobs is beside its peers">'
            ),
            f"<style>\n{STYLE}\n</style>",
            *parts,
            "</svg>\n",
        ]
    )


def draw_panel(panel: Panel, targets: Sequence[Target], top: int) -> Iterator[str]:
    """Draw a title, a bar for each contender with its spread, and the target."""
    bars = [bar for bar in panel.bars if bar.name not in LEFT_OUT]
    # a target belongs to the panel that shows the very ratio it is about
    goals = [one.goal for one in targets for bar in bars if is_ours(bar.name) and one.ratio == bar.ratio]
    scale = (WIDTH - LABELS - FIGURES) / max(*(bar.ratio.most for bar in bars), *goals)
    better = "longer is better" if panel.more_is_better else "shorter is better"
    yield f'<text class="title" x="0" y="{top + 14}">{escape(panel.title)}</text>'
    yield f'<text class="unit" x="0" y="{top + 32}">{escape(panel.unit)}; {better}</text>'
    top += HEAD
    for place, bar in enumerate(bars):
        y = top + place * LINE
        kind = "ours" if is_ours(bar.name) else "other"
        middle = y + THICK / 2
        least, most, end = (
            LABELS + figure * scale for figure in (bar.ratio.least, bar.ratio.most, bar.ratio.median)
        )
        yield f'<text x="{LABELS - 8}" y="{y + 12}" text-anchor="end">{escape(bar.name)}</text>'
        yield f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{end - LABELS:.1f}" height="{THICK}" rx="2"/>'
        yield f'<line class="spread" x1="{least:.1f}" x2="{most:.1f}" y1="{middle}" y2="{middle}"/>'
        yield f'<text class="figure" x="{max(most, end) + 6:.1f}" y="{y + 12}">{show(bar.ratio.median)}</text>'
    for goal in goals:
        x = LABELS + goal * scale
        bottom = top + LINE * len(bars) - (LINE - THICK) + 4
        yield f'<line class="target" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 4}" y2="{bottom}"/>'


def is_ours(name: str) -> bool:
    return name.startswith(OURS)
