"""Plain line plots as SVG, readable on light and on dark ground; nothing but the standard library."""

import html
import math

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 76, 150, 60, 52
COLOURS = ["#2f7fd1", "#d9822b", "#3c9a5f", "#b5508c", "#8a6fd1", "#7a8490"]
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #6e7781 }
  .title { font-size: 15px; font-weight: 600 }
  .grid { stroke: #8b949e; stroke-opacity: .3 }
  .aim { stroke: #8b949e; stroke-dasharray: 5 4 }
  @media (prefers-color-scheme: dark) { text { fill: #d0d7de } }
"""


def write(path, title, across, up, series, log_across=True, log_up=False, aim=None):
    """- across, up: what the axes count; series: `[(name, [(x, y)])]`, perhaps with the lowest and the highest y of a
    point behind; aim: `(y, words)` of a line to compare with."""
    points = [point for _, points in series for point in points]
    tops = [value for point in points for value in point[1:]] + ([aim[0]] if aim else [])
    horizontal = Axis([point[0] for point in points], log_across, LEFT, WIDTH - RIGHT, exact=True)
    vertical = Axis(tops, log_up, HEIGHT - BOTTOM, TOP)
    with open(path, "w") as file:
        file.write("\n".join(drawing(title, across, up, series, horizontal, vertical, aim)) + "\n")


def drawing(title, across, up, series, horizontal, vertical, aim):
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    )
    yield text(LEFT, 24, title, "start", "title")
    yield text(WIDTH - RIGHT, HEIGHT - 10, across, "end")
    yield text(LEFT - 8, TOP - 12, up, "start")
    for value in vertical.ticks:
        y = vertical.place(value)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>' + text(LEFT - 8, y + 4, short(value), "end")
    for value in horizontal.ticks:
        x = horizontal.place(value)
        yield f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>' + text(x, HEIGHT - BOTTOM + 18, short(value))
    labels = []
    if aim:
        y = vertical.place(aim[0])
        yield f'<path class="aim" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        labels.append((y, aim[1], None))
    for (name, points), colour in zip(series, COLOURS):
        yield from curve(points, colour, horizontal, vertical)
        labels.append((vertical.place(points[-1][1]), name, colour))
    if len(labels) > 1:
        yield from legend(labels)
    yield "</svg>"


def curve(points, colour, horizontal, vertical):
    places = [(horizontal.place(point[0]), vertical.place(point[1])) for point in points]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for (x, y), point in zip(places, points):
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
        if len(point) == 4:
            low, high = vertical.place(point[2]), vertical.place(point[3])
            yield f'<path d="M{x:.1f} {low:.1f}V{high:.1f}" stroke="{colour}"/>'


def legend(labels):
    """Names beside the ends of the lines, in their order and clear of each other."""
    labels = sorted(labels, key=lambda label: label[0])
    places = [label[0] for label in labels]
    for number in range(1, len(places)):
        places[number] = max(places[number], places[number - 1] + 16)
    over = max(0, places[-1] - (HEIGHT - BOTTOM))
    for y, (_, name, colour) in zip(places, labels):
        y -= over
        if colour:
            yield f'<circle cx="{WIDTH - RIGHT + 14}" cy="{y:.1f}" r="4" fill="{colour}"/>'
        yield text(WIDTH - RIGHT + 24, y + 4, name, "start")


def text(x, y, words, anchor="middle", kind=""):
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{html.escape(words)}</text>'


class Axis:
    """From values to places; with `exact` the ticks are the values themselves."""

    def __init__(self, values, is_log, start, end, exact=False):
        self.is_log = is_log and min(values) > 0
        self.start, self.end = start, end
        low, high = min(values), max(values)
        if exact:
            self.ticks = sorted(set(values))
        elif self.is_log:
            low, high = 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high))
            self.ticks = [10**power for power in range(round(math.log10(low)), round(math.log10(high)) + 1)]
        else:
            low, step = 0, nice(high / 5)
            self.ticks = [step * count for count in range(math.ceil(high / step) + 1)]
            high = self.ticks[-1]
        self.low, self.span = self.scale(low), (self.scale(high) - self.scale(low)) or 1

    def scale(self, value):
        return math.log10(max(value, 1e-9)) if self.is_log else value

    def place(self, value):
        return self.start + (self.scale(value) - self.low) / self.span * (self.end - self.start)


def nice(step):
    if step <= 0:
        return 1
    power = 10 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step)


def short(value):
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
