"""The rows of bench/RESULTS.md.

A row is one figure of Fennec's, with those of its competitors from the same run:

    Row("task query, 64 connections", "µs CPU per request", {"fennec": [18.9, 18.5], "nginx": [13.8, 13.4]},
        goal="at least 0.9 of nginx", met=lambda value, ratios: ratios["nginx"] >= 0.9)
    Row("durable submission, 64 connections", "per second", {"fennec": [...], "bullmq": [...]}, more=True)

The values are one for each turn, in the order of the turns. `more`: more is better. A ratio is how many times as good
Fennec is as the competitor, turn by turn, so 2 is twice as good whichever way the figure goes. `met` gets the median
of Fennec's values and the medians of the ratios by the competitor's name.
"""
import dataclasses
import statistics
from typing import Callable, Optional


@dataclasses.dataclass
class Row:
    what: str
    unit: str
    values: dict
    more: bool = False
    goal: Optional[str] = None
    met: Optional[Callable] = None
    digits: int = 2

    def ratios(self, name):
        pairs = zip(self.values["fennec"], self.values[name])
        return [(ours / theirs if self.more else theirs / ours) for ours, theirs in pairs if ours and theirs]

    def outcome(self):
        """None: no goal was set; else whether it was met."""
        if self.goal is None:
            return None
        medians = {name: statistics.median(self.ratios(name) or [0]) for name in self.values if name != "fennec"}
        return bool(self.met(statistics.median(self.values["fennec"]), medians))


def number(value, digits):
    """With as many digits as tell something: 12,806, 103, 18.9, 0.73."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if abs(value) >= 10 else digits}f}"


def spread(values, digits=2):
    if not values:
        return "–"
    middle, least, most = (number(v, digits) for v in (statistics.median(values), min(values), max(values)))
    return middle if least == most else f"{middle} ({least}–{most})"


def markdown(rows):
    """One table for rows that have the same competitors."""
    names = [name for name in rows[0].values if name != "fennec"]
    lines = ["| what | unit | Fennec | " + "".join(f"{name} | times as good as {name} | " for name in names) + "goal | |",
             "|---|---|---|" + "---|---|" * len(names) + "---|---|"]
    for row in rows:
        outcome = {None: "", True: "met", False: "**not met**"}[row.outcome()]
        cells = [row.what, row.unit, spread(row.values["fennec"], row.digits)]
        for name in names:
            cells += [spread(row.values[name], row.digits), spread(row.ratios(name))]
        lines.append("| " + " | ".join([*cells, row.goal or "", outcome]) + " |")
    return "\n".join(lines)


def tables(rows):
    """The rows as tables, in their order: a table ends where the competitors change."""
    parts, last = [], None
    for row in rows:
        if last is None or list(row.values) != list(last.values):
            parts.append([])
        parts[-1].append(row)
        last = row
    return "\n\n".join(markdown(part) for part in parts)
