"""Draws lines over a logarithmic axis as an SVG, without a script, for a light or a dark page."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 128, 44, 52

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.grid { stroke: #d0d7de; stroke-width: 1 }
.line { fill: none; stroke-width: 2 }
.c0 { stroke: #0969da } .c1 { stroke: #bc4c00 } .c2 { stroke: #1a7f37 } .c3 { stroke: #8250df }
.d0 { fill: #0969da } .d1 { fill: #bc4c00 } .d2 { fill: #1a7f37 } .d3 { fill: #8250df }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .grid { stroke: #484f58 }
  .c0 { stroke: #58a6ff } .c1 { stroke: #f0883e } .c2 { stroke: #56d364 } .c3 { stroke: #bc8cff }
  .d0 { fill: #58a6ff } .d1 { fill: #f0883e } .d2 { fill: #56d364 } .d3 { fill: #bc8cff }
}
"""


def ticks(highest):
    """Round values from 0 to at least `highest`, about five of them."""
    rough = highest / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def plot(title, across, up, lines):
    """A plot of up to four lines. `lines` has for each name its points (x, y), x a power of ten."""
    points = [point for line in lines.values() for point in line]
    low, high = (math.log10(end(x for x, _ in points)) for end in (min, max))
    values = ticks(max(y for _, y in points))

    def at_x(x):
        part = (math.log10(x) - low) / ((high - low) or 1)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def at_y(y):
        return HEIGHT - BOTTOM - y / values[-1] * (HEIGHT - TOP - BOTTOM)

    def text(x, y, said, anchor="middle", more=""):
        place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
        return f"<text {place}{more}>{escape(said)}</text>"

    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">']
    parts += [f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>"]
    parts.append(text(LEFT, 22, title, "start", ' font-weight="bold"'))
    for value in values:
        y = at_y(value)
        ends = f'x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
        parts.append(f'<line class="grid" {ends}/>')
        parts.append(text(LEFT - 8, y + 4, f"{value:g}", "end"))
    for x in sorted({x for x, _ in points}):
        parts.append(text(at_x(x), HEIGHT - BOTTOM + 20, f"{x:,}"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, across))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(text(16, middle, up, more=f' transform="rotate(-90 16 {middle:.1f})"'))
    for number, (name, line) in enumerate(lines.items()):
        places = [(at_x(x), at_y(y)) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line c{number}" points="{path}"/>')
        dots = (f'<circle class="d{number}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places)
        parts += dots
        parts.append(text(places[-1][0] + 10, places[-1][1] + 4, name, "start"))
    return "\n".join(parts) + "\n</svg>\n"
