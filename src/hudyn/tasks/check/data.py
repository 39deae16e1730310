"""Labelled points of the plane as a data module: the check grid, or points from a CSV file."""

import csv
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hudyn.arguments import ArgumentError, Positive, checked
from hudyn.errors import HudynError
from hudyn.tasks.base import TaskData

COLUMNS = ["x", "y", "label"]
LISTED = 5  # bad rows that an error names


@dataclass
class PointsChunk:
    """All points, for several updates."""

    points: Tensor  # coordinates x and y, [items, 2]
    labels: Tensor  # 0. or 1., [items]
    updates: int  # number of updates; each is on all points


class CheckGridDataModule(TaskData[PointsChunk]):
    """The nine points (x, y) in {0, 1, 2}², labelled 1 where x + y is odd; or the points of a CSV file.

    Every update is on all points, so one update is one epoch. The trainer's epochs are only the time between two
    evaluations.

    Args:
        file: CSV file with the columns x, y and label (0 or 1); None for the check grid.
        evaluation_interval: updates between two evaluations.
        updates_per_step: updates that one Lightning step makes; the result does not depend on it.

    Raises:
        ArgumentError: the file cannot be read, or has bad rows.
    """

    accumulates = True  # every batch is the same
    evaluated_splits = ("train",)

    @checked
    def __init__(
        self, file: str | None = None, evaluation_interval: Positive = 2000, updates_per_step: Positive = 500
    ) -> None:
        super().__init__()
        try:
            self.points, self.labels = read_points(Path(file).expanduser()) if file else check_grid()
        except HudynError as error:
            raise ArgumentError("file", str(error)) from error
        self.evaluation_interval = evaluation_interval
        self.updates_per_step = updates_per_step

    def setup(self, stage: str) -> None:
        """Put the points on the trainer's device."""
        self.points, self.labels = self.points.to(self.device), self.labels.to(self.device)

    @property
    def updates_per_epoch(self) -> int:
        """Updates between two evaluations."""
        return self.evaluation_interval

    def chunk(self, epoch: int, first: int, last: int) -> PointsChunk:
        """All points, for the updates first..last-1."""
        return PointsChunk(self.points, self.labels, last - first)


def check_grid() -> tuple[Tensor, Tensor]:
    """The nine points, [9, 2], in the order (0, 0), (1, 0), (2, 0), (0, 1), …, and their labels, [9].

    >>> check_grid()[1]
    tensor([0., 1., 0., 1., 0., 1., 0., 1., 0.])
    """
    points = torch.tensor([[x, y] for y in range(3) for x in range(3)], dtype=torch.float32)
    return points, points.sum(dim=1) % 2


def read_points(path: Path) -> tuple[Tensor, Tensor]:
    """Points [items, 2] and labels [items] of a CSV file with the columns x, y and label, in the file's order.

    Raises:
        HudynError: it cannot be read, has other columns, bad rows (some are listed), or fewer than two points.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, skipinitialspace=True)
            heading = [name.strip() for name in next(reader, [])]
            if heading != COLUMNS:
                raise HudynError(
                    f"{path}, line 1: expected the columns x,y,label, got {','.join(heading) or 'nothing'}."
                )
            rows, problems = [], []
            for cells in reader:
                row = [cell.strip() for cell in cells]
                problem = _problem(row)
                if problem:
                    problems.append(f"{path}, line {reader.line_num}: {problem}.")
                elif any(row):
                    rows.append([float(cell) for cell in row])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise HudynError(f"{path} cannot be read: {reason}. Expected a CSV file with the columns x,y,label.") from error
    if problems:
        more = [f"{len(problems) - LISTED} more rows like these."] if len(problems) > LISTED else []
        raise HudynError("\n".join([*problems[:LISTED], *more]))
    if len(rows) < 2:
        raise HudynError(f"{path}: expected at least two points, got {len(rows)}.")
    table = torch.tensor(rows)
    return table[:, :2].clone(), table[:, 2].clone()


def _problem(row: list[str]) -> str | None:
    """What is wrong with a row of the file; None for a sound row or an empty line."""
    if not any(row):
        return None
    if len(row) != len(COLUMNS):
        return f"expected 3 values, got {len(row)} ({','.join(row)})"
    for name, cell in zip(COLUMNS, row, strict=True):
        try:
            value = float(cell)
        except ValueError:
            return f"{name} is not a number: {cell!r}"
        if not abs(value) <= torch.finfo(torch.float32).max:
            return f"{name} is not a finite number that fits into 32 bits: {cell}"
        if name == "label" and value not in (0, 1):
            return f"expected label 0 or 1, got {cell}"
    return None
