"""The four files of an MNIST-like set: fetched by torchvision, verified, and read into tensors."""

import contextlib
import gzip
import math
import os
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets
from torchvision.datasets.utils import calculate_md5

from hudyn.arguments import ArgumentError
from hudyn.errors import HudynError

SPLITS = {"train": "train", "test": "t10k"}
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
FILE_NAMES = [f"{prefix}-{kind}" for prefix in SPLITS.values() for kind in (IMAGES, LABELS)]
SIDE, CLASSES = 28, 10
PUBLISHED_ITEMS = {"train": 60_000, "test": 10_000}


def raw_folder(root: Path, dataset: str) -> Path:
    """Where the files of `dataset` are kept under `root`."""
    return root / dataset / "raw"


def check_folder(root: Path, dataset: str) -> None:
    """Raise unless the files of `dataset` are under `root` and can be read, or could be written there.

    Raises:
        ArgumentError: of the argument `root`.
    """
    advice = "choose a folder with data.root=<folder> or the variable HUDYN_DATA"
    paths = [_find(raw_folder(root, dataset), name) for name in FILE_NAMES]
    for path in paths:
        if path and not os.access(path, os.R_OK):
            raise ArgumentError("root", f"{path} cannot be read; give yourself permission, or {advice}")
    if all(paths):
        return
    folder = raw_folder(root, dataset).absolute()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):  # leaves no trace
            pass
    except OSError as error:
        message = f"{dataset} is not in {root} and cannot be fetched into it ({existing}: {error.strerror}); {advice}"
        raise ArgumentError("root", message) from error


def count(root: Path, dataset: str, split: str) -> int:
    """Number of images of a split, by its labels' file; as published if there is no such file yet."""
    path = _find(raw_folder(root, dataset), f"{SPLITS[split]}-{LABELS}")
    if path is not None:
        opened = gzip.open if path.suffix == ".gz" else open
        with contextlib.suppress(OSError, EOFError, zlib.error, struct.error), opened(path, "rb") as file:
            return int(struct.unpack(">2I", file.read(8))[1])
    return PUBLISHED_ITEMS[split]


def fetch(root: Path, dataset: str) -> None:
    """Download `dataset` into `root` with torchvision, unless its files are there.

    Raises:
        HudynError: no network, or a folder that cannot be written.
    """
    folder = raw_folder(root, dataset)
    missing = [name for name in FILE_NAMES if _find(folder, name) is None]
    if not missing:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        getattr(datasets, dataset)(root, download=True)
    except PermissionError as error:
        _remove_empty(root, folder)
        raise HudynError(
            f"{dataset} is not in {root} and cannot be fetched into it: {error.strerror} ({error.filename}).\n"
            "Choose a folder that can be written with data.root=<folder> or the variable HUDYN_DATA."
        ) from error
    except (OSError, RuntimeError, EOFError) as error:
        _remove_empty(root, folder)
        cause = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        files = "".join(f"\n  {folder / name}.gz" for name in missing)
        raise HudynError(
            f"{dataset} is not in {root} and could not be fetched ({cause}).\n"
            f"Connect to a network and run again, or put these files there by hand:{files}\n"
            "or name the folder that holds them with data.root=<folder> or the variable HUDYN_DATA."
        ) from error


def _remove_empty(root: Path, folder: Path) -> None:
    """Remove the folders made for a set that could not be fetched."""
    for place in (folder, folder.parent, root):
        with contextlib.suppress(OSError):
            place.rmdir()


def read(root: Path, dataset: str, split: str) -> tuple[Tensor, Tensor]:
    """Images and labels of one split.

    Args:
        root: folder that holds `dataset`.
        dataset: name of a torchvision dataset in MNIST's format.
        split: "train" or "test".

    Returns:
        images, uint8 [items, 28, 28], and labels, int64 [items].

    Raises:
        HudynError: a file is missing, truncated, corrupt or of the wrong shape.
    """
    folder = raw_folder(root, dataset)
    images_path, labels_path = (_existing(folder, f"{SPLITS[split]}-{kind}") for kind in (IMAGES, LABELS))
    images, labels = _read_idx(images_path, dataset, dimensions=3), _read_idx(labels_path, dataset, dimensions=1)
    if images.shape[1:] != (SIDE, SIDE):
        raise _wrong(images_path, f"expected images of {SIDE}×{SIDE}, got {images.shape[1]}×{images.shape[2]}")
    if len(images) != len(labels):
        raise _wrong(labels_path, f"expected {len(images)} labels, one for each image, got {len(labels)}")
    if len(images) == 0:
        raise _wrong(images_path, "it holds no images")
    if labels.max() >= CLASSES:
        raise _wrong(labels_path, f"expected labels 0 to {CLASSES - 1}, got {int(labels.max())}")
    return images, labels.long()


def _find(folder: Path, name: str) -> Path | None:
    packed, unpacked = folder / f"{name}.gz", folder / name
    return next((path for path in (packed, unpacked) if path.is_file()), None)


def _existing(folder: Path, name: str) -> Path:
    path = _find(folder, name)
    if path is None:
        raise HudynError(f"{folder / name}(.gz) is missing. Run again with a network to fetch it, or put it there.")
    return path


def _wrong(path: Path, what: str) -> HudynError:
    return HudynError(f"{path} is damaged: {what}.\nDelete it and run again: with a network it is fetched anew.")


def _read_idx(path: Path, dataset: str, dimensions: int) -> Tensor:
    """The array of bytes in an IDX file (LeCun's format: magic number, sizes, bytes), compressed or not."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            expected = _published_md5(dataset, path.name)
            if expected and (found := calculate_md5(path)) != expected:
                raise _wrong(path, f"its md5 is {found}, the published file's is {expected}")
            content = gzip.decompress(content)
    except PermissionError as error:
        raise HudynError(f"{path} cannot be read: {error.strerror}. Give yourself permission to read it.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise _wrong(path, f"it cannot be unpacked ({error})") from error
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise _wrong(path, f"expected a header of {header} bytes, got {len(content)} bytes in all")
    magic, *shape = struct.unpack(f">{1 + dimensions}I", content[:header])
    if magic != 0x800 + dimensions:
        raise _wrong(path, f"expected the magic number {0x800 + dimensions} of an IDX file, got {magic}")
    expected_bytes = math.prod(shape)
    if len(content) - header != expected_bytes:
        sizes = "×".join(map(str, shape))
        raise _wrong(path, f"its header promises {sizes} = {expected_bytes} bytes, {len(content) - header} follow")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=header).copy()).reshape(shape)


def _published_md5(dataset: str, name: str) -> str | None:
    return next((md5 for url, md5 in getattr(datasets, dataset).resources if url.endswith(name)), None)
