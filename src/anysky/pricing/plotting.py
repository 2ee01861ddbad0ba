"""Draw what a search found: price against vCPUs or memory. Needs ``pip install 'anysky[plot]'``.

matplotlib is imported when a picture is drawn, and never opens a window: figures are made without
``pyplot``. The same results make the same file, byte for byte, with one version of matplotlib.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from anysky.errors import InvalidRequestError

from .errors import PlotError, PriceUnknownError
from .searching import Found

__all__ = ["plot", "plot_format"]

_GIB = 1024
_WIDTH = 9.0  # inches
_HEIGHT = 4.5
_LEGEND_LINE = 0.22
_DPI = 120
_WIDE = 20  # times the lowest value: above it, a linear axis crowds most points into a corner
_MANY = 60  # points, above which smaller ones overlap less
_FEW = 8  # values, all of which can be named on an axis
_LONGEST = 40  # characters of a name
_MARKERS = "osD^vP*X<>dph"
_LABELS = {"vcpu": "vCPUs", "ram": "memory in GiB"}
_METADATA: dict[str, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": "anysky"},
    "png": {"Software": "anysky"},
}
_STYLE = {
    "svg.hashsalt": "anysky",
    "svg.fonttype": "none",  # texts stay texts, which can be searched and read aloud
    "text.parse_math": False,  # a $ in a name is a $
    "text.usetex": False,
}


class _Point(NamedTuple):
    x: float
    price: float
    name: str


def plot_format(path: str | os.PathLike[str]) -> str:
    """Return ``"svg"`` or ``"png"``, after the end of a file's name.

    Raises:
        InvalidRequestError: It is neither.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in _METADATA:
        raise InvalidRequestError(f"{os.fspath(path)!r} does not end in .svg or .png")
    return kind


def plot(
    found: Sequence[Found],
    path: str | os.PathLike[str],
    *,
    by: Literal["vcpu", "ram"] = "vcpu",
    currency: str = "USD",
) -> int:
    """Draw the results of a search; return how many are in the picture.

    Args:
        found: What `search` returned. A size of which it is not known what `by` says is left out.
        path: The file to write, which ends in ``.svg`` or ``.png``.
        by: What prices are drawn against.
        currency: The currency of the search.

    Raises:
        InvalidRequestError: The file's name ends in something else, or `by` is something else.
        PriceUnknownError: There is nothing to draw.
        PlotError: matplotlib is missing, or the file cannot be written.
    """
    kind = plot_format(path)
    if by not in _LABELS:
        raise InvalidRequestError(f"prices are drawn by vcpu or ram, not by {by!r}")
    known = [one for one in found if _x(one, by) is not None]
    if not known:
        raise PriceUnknownError("there is nothing to draw: no size fits, or what it has is unknown")
    picture = _picture(_groups(known, by), _dates(known), by, _plain(currency), kind)
    try:
        Path(path).write_bytes(picture)
    except OSError as error:
        raise PlotError(f"cannot write {os.fspath(path)}: {error.strerror}") from error
    return len(known)


def _x(one: Found, by: str) -> float | None:
    if by == "vcpu":
        return one.size.vcpu
    return None if one.size.ram_mb is None else one.size.ram_mb / _GIB


def _groups(found: Iterable[Found], by: str) -> dict[str, list[_Point]]:
    """Return the points of each provider, by name, the cheapest first."""
    groups: dict[str, list[_Point]] = {}
    for one in sorted(found, key=lambda one: (one.price.provider, one.compared, one.price.size)):
        point = _Point(
            x=float(_x(one, by) or 0),
            price=float(one.compared),
            name=f"{one.price.size} in {one.price.region}",
        )
        groups.setdefault(one.price.provider, []).append(point)
    return groups


def _dates(found: Iterable[Found]) -> str:
    dates = sorted({one.price.as_of for one in found if one.price.as_of})
    return " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "an unknown day"


def _plain(text: str) -> str:
    """Return what every font has and XML may hold."""
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in short)


def _picture(
    groups: dict[str, list[_Point]], dates: str, by: str, currency: str, kind: str
) -> bytes:
    try:
        from matplotlib import style
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError(
            f"pictures need matplotlib ({error}): pip install 'anysky[plot]'"
        ) from error
    written = io.BytesIO()
    with style.context(["default", _STYLE]):
        height = _HEIGHT + _LEGEND_LINE * len(groups)
        # Any: matplotlib's own types are not whole.
        figure: Any = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout="constrained")
        axes = figure.add_subplot()
        _draw(axes, groups)
        axes.set_xlabel(_LABELS[by])
        axes.set_ylabel(f"price in {currency} an hour")
        axes.set_title(f"List prices as of {_plain(dates)}")
        _legend(figure, axes, groups, currency)
        figure.savefig(written, format=kind, metadata=_METADATA[kind])
    return written.getvalue()


def _draw(axes: Any, groups: dict[str, list[_Point]]) -> None:
    points = [point for group in groups.values() for point in group]
    area = 36 if len(points) <= _MANY else 14
    for number, (group, marker) in enumerate(zip(groups.values(), itertools.cycle(_MARKERS))):
        axes.scatter(
            [point.x for point in group], [point.price for point in group],
            s=area, marker=marker, color=f"C{number % 10}", alpha=0.75, linewidths=0,
        )  # fmt: skip
    axes.grid(visible=True, alpha=0.3)
    _scale(axes, [point.x for point in points], [point.price for point in points])


def _scale(axes: Any, xs: Sequence[float], prices: Sequence[float]) -> None:
    if _is_wide(xs):
        axes.set_xscale("log", base=2)
    else:
        axes.set_xlim(0, max(xs) * 1.1 or 1)
    if len(set(xs)) <= _FEW:
        axes.set_xticks(sorted(set(xs)))
    if _is_wide(prices):
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, max(prices) * 1.1 or 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")


def _is_wide(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) > _WIDE * min(values)


def _legend(figure: Any, axes: Any, groups: dict[str, list[_Point]], currency: str) -> None:
    """Name the providers below the picture, each with its cheapest size."""
    legend = figure.legend(
        axes.collections, [""] * len(groups), loc="outside lower left", ncols=1, frameon=False
    )
    # Texts are set afterwards: matplotlib hides entries that begin with an underscore.
    for text, (provider, group) in zip(legend.get_texts(), groups.items(), strict=True):
        cheapest = f"from {group[0].price:g} {currency}: {_plain(group[0].name)}"
        text.set_text(f"{_plain(provider)} {cheapest}")
