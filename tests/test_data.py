import gzip
import struct
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from hudyn.arguments import ArgumentError
from hudyn.errors import HudynError
from hudyn.tasks.characters import KMNISTDataModule, files
from hudyn.tasks.characters.data import scaled, stratified_choice

from .conftest import write_idx, write_small_set


def loaded(root, **settings):
    data = KMNISTDataModule(root=str(root), **settings)
    data.prepare_data()
    data.setup("fit")
    return data


def joined(loader, member=None):
    """Images and targets of all updates of the epoch."""
    batches = [batch for chunk in loader for batch in chunk]
    pick = (lambda tensor: tensor) if member is None else (lambda tensor: tensor[member])
    return torch.cat([pick(batch.images) for batch in batches]), torch.cat([pick(batch.targets) for batch in batches])


def test_updates_are_those_of_a_dataloader_over_torchvision(small_data):
    """The plain loop of the assignment, on the same files, sees the same batches in the same order."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    plain = list(DataLoader(datasets.KMNIST(small_data, transform=transform), batch_size=64))
    ours = [batch for chunk in loaded(small_data, updates_per_step=3).train_dataloader() for batch in chunk]
    assert len(ours) == len(plain) == 5
    for batch, (images, targets) in zip(ours, plain, strict=True):
        torch.testing.assert_close(batch.images, images, rtol=0, atol=1e-6)
        assert torch.equal(batch.targets, targets)
        assert batch.divisor == len(targets)


@pytest.mark.parametrize("updates_per_step", [1, 2, 3, 100])
def test_the_chunking_changes_nothing(small_data, updates_per_step):
    images, targets = joined(loaded(small_data, updates_per_step=updates_per_step, shuffle=True).train_dataloader())
    expected = joined(loaded(small_data, updates_per_step=5, shuffle=True).train_dataloader())
    assert torch.equal(images, expected[0])
    assert torch.equal(targets, expected[1])


def test_shuffled_epochs_are_permutations_that_differ_and_repeat(small_data):
    loader = loaded(small_data, shuffle=True, seed=3).train_dataloader()
    first = joined(loader)[0]
    loader.set_epoch(1)
    second = joined(loader)[0]
    assert not torch.equal(first, second)
    assert torch.equal(first.flatten(1).sum(1).sort()[0], second.flatten(1).sum(1).sort()[0])
    assert torch.equal(joined(loaded(small_data, shuffle=True, seed=3).train_dataloader())[0], first)


def test_each_member_has_the_order_of_its_solo_run(small_data):
    together = loaded(small_data, shuffle=True, members=3, seed=4)
    for member in range(3):
        own = joined(together.train_dataloader(), member)
        solo = joined(loaded(small_data, shuffle=True, seed=4 + member).train_dataloader())
        assert torch.equal(own[0], solo[0])
        assert torch.equal(own[1], solo[1])


def test_a_loader_goes_on_where_it_was_left(small_data):
    loader = loaded(small_data, shuffle=True, updates_per_step=1).train_dataloader()
    loader.set_epoch(2)
    expected = [chunk.images for chunk in loader]
    fresh = loaded(small_data, shuffle=True, updates_per_step=1).train_dataloader()
    fresh.load_state_dict({"epoch": 2, "position": 3})
    fresh.set_epoch(2)
    rest = [chunk.images for chunk in fresh]
    assert len(rest) == 2
    assert all(torch.equal(own, wanted) for own, wanted in zip(rest, expected[3:], strict=True))
    fresh.set_epoch(3)
    assert len(list(fresh)) == 5


def test_devices_share_every_update_out(small_data):
    """Two devices see each image of an update once, and their mean gradient is that of the whole update."""
    parts = []
    for rank in range(2):
        data = KMNISTDataModule(root=str(small_data), batch_size=7, updates_per_step=4)
        data.trainer = SimpleNamespace(
            global_rank=rank, world_size=2, max_steps=-1, strategy=SimpleNamespace(root_device=torch.device("cpu"))
        )
        data.setup("fit")
        parts.append([batch for chunk in data.train_dataloader() for batch in chunk])
    whole = [batch for chunk in loaded(small_data, batch_size=7).train_dataloader() for batch in chunk]
    for first, second, both in zip(*parts, whole, strict=True):
        images = torch.cat([first.images, second.images]).flatten(1).sum(1).sort()[0]
        assert torch.equal(images, both.images.flatten(1).sum(1).sort()[0])
        mean = (first.images.sum() / first.divisor + second.images.sum() / second.divisor) / 2
        torch.testing.assert_close(mean, both.images.sum() / both.divisor, rtol=1e-4, atol=1e-4)


def test_bytes_stay_on_the_device_and_scale_to_one(small_data):
    data = loaded(small_data)
    assert data.splits["train"][0].dtype == torch.uint8
    pixels = scaled(torch.arange(256, dtype=torch.uint8).view(1, 16, 16))
    assert pixels.shape == (1, 1, 16, 16)
    assert (pixels.min(), pixels.max()) == (-1, 1)


def test_validation_is_stratified_disjoint_and_the_same_for_every_seed(small_data):
    whole = loaded(small_data).splits["train"]
    first, second = (loaded(small_data, validation_size=45, seed=seed).splits for seed in (0, 9))
    assert torch.equal(first["val"][0], second["val"][0])
    counts = torch.bincount(first["val"][1], minlength=10)
    assert counts.sum() == 45
    assert counts.min() >= 4
    assert counts.max() <= 5
    together = torch.cat([first["train"][0], first["val"][0]]).flatten(1).long().sum(1).sort()[0]
    assert torch.equal(together, whole[0].flatten(1).long().sum(1).sort()[0])


def test_stratified_choice_keeps_uneven_shares():
    targets = torch.tensor([0] * 70 + [1] * 20 + [2] * 10)
    chosen = stratified_choice(targets, 10, classes=3)
    assert torch.bincount(targets[chosen]).tolist() == [7, 2, 1]


def test_holding_out_everything_is_refused(small_data):
    data = KMNISTDataModule(root=str(small_data), validation_size=300)
    with pytest.raises(ArgumentError, match=r"validation_size: expected fewer than the 300 training images, got 300"):
        data.check_available()


def test_the_same_code_takes_the_kindred_sets(tmp_path):
    write_small_set(tmp_path, "FashionMNIST", train=20, test=10)
    data = loaded(tmp_path, dataset="FashionMNIST")
    assert data.class_names[9] == "boot"
    assert len(data.splits["test"][1]) == 10


# What is wrong with the files -----------------------------------------------------------------------------------


@pytest.fixture
def broken(tmp_path):
    """A small set to be damaged, and its folder of files."""
    write_small_set(tmp_path, train=20, test=10)
    return tmp_path, tmp_path / "KMNIST" / "raw"


def damaged(root):
    with pytest.raises(HudynError) as error:
        loaded(root)
    return str(error.value)


def test_a_truncated_file(broken):
    root, raw = broken
    path = raw / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    message = damaged(root)
    assert str(path) in message
    assert "promises 20×28×28 = 15680 bytes, 15580 follow" in message
    assert "Delete it and run again" in message


def test_a_file_cut_off_in_its_header(broken):
    root, raw = broken
    (raw / "t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08")
    assert "expected a header of 8 bytes, got 3 bytes" in damaged(root)


def test_sizes_that_no_file_can_have(broken):
    root, raw = broken
    content = struct.pack(">4I", 0x803, 2**32 - 300, 2**32 - 28, 28)
    (raw / "train-images-idx3-ubyte").write_bytes(content + bytes(300 * 28 * 28))
    assert "its header promises 4294966996×4294967268×28" in damaged(root)


def test_a_file_of_another_kind(broken):
    root, raw = broken
    (raw / "train-labels-idx1-ubyte").write_bytes(b"<html>not found</html>")
    assert "expected the magic number 2049 of an IDX file" in damaged(root)


def test_images_of_another_size(broken):
    root, raw = broken
    write_idx(raw / "train-images-idx3-ubyte", np.zeros((20, 32, 32)))
    assert "expected images of 28×28, got 32×32" in damaged(root)


def test_more_images_than_labels(broken):
    root, raw = broken
    write_idx(raw / "train-labels-idx1-ubyte", np.zeros(19))
    assert "expected 20 labels, one for each image, got 19" in damaged(root)


def test_labels_that_are_no_classes(broken):
    root, raw = broken
    write_idx(raw / "train-labels-idx1-ubyte", np.full(20, 10))
    assert "expected labels 0 to 9, got 10" in damaged(root)


def test_a_packed_file_that_is_not_the_published_one(broken):
    root, raw = broken
    write_idx(raw / "train-labels-idx1-ubyte.gz", np.zeros(20))
    published = {url.rsplit("/")[-1]: md5 for url, md5 in datasets.KMNIST.resources}
    assert f"the published file's is {published['train-labels-idx1-ubyte.gz']}" in damaged(root)


def test_a_packed_file_that_cannot_be_unpacked(broken, monkeypatch):
    root, raw = broken
    whole = gzip.compress(b"\0" * 1000)
    (raw / "train-labels-idx1-ubyte.gz").write_bytes(whole[:-9])
    monkeypatch.setattr(files, "_published_md5", lambda dataset, name: None)
    assert "it cannot be unpacked" in damaged(root)


def test_no_network(tmp_path, monkeypatch):
    def unreachable(root, download):
        raise URLError("Name or service not known")

    monkeypatch.setattr(datasets, "KMNIST", unreachable)
    with pytest.raises(HudynError) as error:
        files.fetch(tmp_path, "KMNIST")
    message = str(error.value)
    assert "could not be fetched (<urlopen error Name or service not known>)" in message
    assert str(tmp_path / "KMNIST/raw/t10k-labels-idx1-ubyte.gz") in message
    assert "data.root=" in message
    assert list(tmp_path.parent.glob(f"{tmp_path.name}/*")) == []


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def refused(root, download):
        raise PermissionError(13, "Permission denied", str(root))

    monkeypatch.setattr(datasets, "KMNIST", refused)
    with pytest.raises(HudynError, match=r"cannot be fetched into it: Permission denied .*\n.*data.root="):
        files.fetch(tmp_path, "KMNIST")


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HudynError, match=r"is not in .*file"):
        files.fetch(tmp_path / "file", "KMNIST")


def test_what_is_there_is_not_fetched(small_data, monkeypatch):
    monkeypatch.setattr(datasets, "KMNIST", None)
    files.fetch(small_data, "KMNIST")


def test_fetching_checks_and_unpacks(real_kmnist, tmp_path, monkeypatch, capsys):
    """torchvision's own download, of the published files from a server in this process, with its progress bar."""
    mirror = files.raw_folder(real_kmnist, "KMNIST").absolute()
    if not (mirror / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip(f"{mirror} holds no packed files to fetch")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(mirror)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        monkeypatch.setattr(datasets.KMNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        files.fetch(tmp_path, "KMNIST")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert "100%" in capsys.readouterr().err
    for name in files.FILE_NAMES:
        assert (files.raw_folder(tmp_path, "KMNIST") / name).is_file()
    images, labels = files.read(tmp_path, "KMNIST", "train")
    assert (len(images), len(labels)) == (60_000, 60_000)


def test_real_files_pass_their_md5(real_kmnist):
    images, labels = files.read(real_kmnist, "KMNIST", "test")
    assert images.shape == (10_000, 28, 28)
    assert torch.bincount(labels).tolist() == [1000] * 10
