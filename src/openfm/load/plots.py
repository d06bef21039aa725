"""Plots as inline SVG: no script, no font and no library, so that a report is one file that opens anywhere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 28, 40
_COLOURS = ("#2563eb", "#d97706", "#059669", "#7c3aed")
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Series:
    """A line (or, where `is_dotted`, points) through x and y."""

    name: str
    points: Sequence[tuple[float, float]]
    is_dotted: bool = False


@dataclass(frozen=True, slots=True)
class Axes:
    """What a plot shows: its title, its axes' names, and a value of y to draw a line at, such as an objective."""

    title: str
    x: str
    y: str
    bound: float | None = None


def plot(axes: Axes, series: Sequence[Series]) -> str:
    """One `<svg>`. Both axes begin at 0: a curve that begins elsewhere exaggerates."""
    points = [point for one in series for point in one.points]
    width = _nice(max((x for x, _ in points), default=1.0))
    height = _nice(max([y for _, y in points] + ([axes.bound] if axes.bound is not None else []), default=1.0))
    frame = _Frame(width, height)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(axes.title)}">',
        f'<text x="{_LEFT}" y="16" class="title">{escape(axes.title)}</text>',
        *_grid(frame, axes),
        *(_drawn(frame, one, _COLOURS[number % len(_COLOURS)]) for number, one in enumerate(series)),
        *_legend(series),
    ]
    if axes.bound is not None:
        y = frame.y(axes.bound)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="bound"/>')
    return "".join([*parts, "</svg>"])


def cumulative(values: Sequence[float]) -> Sequence[tuple[float, float]]:
    """Each value with the percentage that does not exceed it, at most 200 points."""
    ordered = sorted(values)
    step = max(1, len(ordered) // 200)
    kept = [*range(0, len(ordered), step), len(ordered) - 1] if ordered else []
    return [(ordered[index], 100 * (index + 1) / len(ordered)) for index in kept]


@dataclass(frozen=True, slots=True)
class _Frame:
    width: float
    height: float

    def x(self, value: float) -> float:
        return _LEFT + value / self.width * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self.height * (_HEIGHT - _TOP - _BOTTOM)


def _grid(frame: _Frame, axes: Axes) -> list[str]:
    parts = []
    for tick in range(_TICKS + 1):
        x, y = frame.width * tick / _TICKS, frame.height * tick / _TICKS
        across, up = frame.x(x), frame.y(y)
        parts += [
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{up:.1f}" y2="{up:.1f}" class="grid"/>',
            f'<text x="{_LEFT - 6}" y="{up + 4:.1f}" text-anchor="end">{y:g}</text>',
            f'<text x="{across:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{x:g}</text>',
        ]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(axes.x)}</text>')
    parts.append(
        f'<text x="14" y="{_HEIGHT / 2:.1f}" text-anchor="middle" transform="rotate(-90 14 {_HEIGHT / 2:.1f})">'
        f"{escape(axes.y)}</text>"
    )
    return parts


def _drawn(frame: _Frame, series: Series, colour: str) -> str:
    placed = [(frame.x(x), frame.y(y)) for x, y in series.points]
    if series.is_dotted:
        return "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{colour}"/>' for x, y in placed)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _legend(series: Sequence[Series]) -> list[str]:
    if len(series) < 2:
        return []
    parts = []
    for number, one in enumerate(series):
        x, colour = _WIDTH - _RIGHT - 110 * (len(series) - number), _COLOURS[number % len(_COLOURS)]
        parts.append(f'<rect x="{x}" y="8" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 14}" y="17">{escape(one.name)}</text>')
    return parts


def _nice(value: float) -> float:
    """The next round number above, so that ticks can be read."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if factor * power >= value * 0.999999)
