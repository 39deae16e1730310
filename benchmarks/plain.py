"""Straightforward training loops in plain PyTorch with the settings of conf/experiment/, to compare hudyn with.

python benchmarks/plain.py srn --updates 300

One network, one optimizer, one update at a time, no evaluation. NetFull and NetConv use all cores; the others use one
thread, since a second does not speed them up. The output is one line of JSON with the number of updates, their seconds
and CPU seconds, without imports, preparation and the first update.
"""

import argparse
import json
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

WORDS, LONGEST = 5, 4  # words a sequence, largest n
RATIOS = {"srn": (1, 2), "lstm": (1, 2, 3)}  # a^n b^2n, a^n b^2n c^3n
IMAGES = ("lin", "full", "conv")
LOOPS = ("srn", "srn_torch", "lstm", "lstm_torch", "check", *IMAGES, "full_products")


def updates_of(name: str, data: Path) -> Iterator[Tensor]:
    """An endless iterator that makes one update and yields its loss.

    Args:
        name: one of `LOOPS`; those with ``torch`` process a whole sequence by torch.nn.RNN or torch.nn.LSTM.
        data: folder of the unpacked KMNIST, for lin, full and conv.
    """
    torch.manual_seed(0)
    if name == "full_products":
        return products_of_netfull()
    if name == "check":
        return train_on_points(Check(), *nine_points())
    if name in IMAGES:
        network = {"lin": NetLin, "full": NetFull, "conv": NetConv}[name]()
        return train_on_images(network, images_of(data), momentum=0.9 if name == "conv" else 0.5)
    ratios = RATIOS[name.removesuffix("_torch")]
    networks = {"srn": SRN, "srn_torch": TorchRNN, "lstm": LSTM, "lstm_torch": TorchLSTM}
    return train_on_words(networks[name](len(ratios), len(ratios)), ratios, random.Random(0))


# Sequences ------------------------------------------------------------------------------------------------------


def train_on_words(network: Any, ratios: Sequence[int], generator: random.Random) -> Iterator[Tensor]:
    """One sequence an update."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.005, weight_decay=1e-4)
    while True:
        loss = sequence_loss(network, draw_sequence(ratios, generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss


def draw_sequence(ratios: Sequence[int], generator: random.Random) -> Tensor:
    """Words with block lengths in these ratios, concatenated, and the first symbol of the next word: [time + 1]."""
    symbols = []
    for _ in range(WORDS):
        n = generator.randint(1, LONGEST)
        for symbol, ratio in enumerate(ratios):
            symbols += [symbol] * (ratio * n)
    return torch.tensor([*symbols, 0])


def sequence_loss(network: Any, symbols: Tensor) -> Tensor:
    """Mean negative log-likelihood of symbols [time + 1], except the first."""
    inputs = F.one_hot(symbols[:-1], network.output.out_features).float().unsqueeze(0)  # [1, time, alphabet]
    log_probabilities = F.log_softmax(network(inputs), dim=-1)
    return F.nll_loss(log_probabilities.squeeze(0), symbols[1:])


class SRN(nn.Module):
    """Simple recurrent network with a learned initial state, one step at a time."""

    def __init__(self, alphabet_size: int, hidden_size: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(alphabet_size, hidden_size))
        self.u = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.b = nn.Parameter(torch.empty(hidden_size))
        self.h0 = nn.Parameter(torch.empty(hidden_size))
        self.output = nn.Linear(hidden_size, alphabet_size)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.001)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [batch, time, alphabet] for one-hot inputs [batch, time, alphabet]."""
        hidden = torch.tanh(self.h0).expand(len(inputs), -1)  # [batch, hidden]
        states = []
        for t in range(inputs.shape[1]):
            hidden = torch.tanh(inputs[:, t] @ self.w + hidden @ self.u + self.b)
            states.append(hidden)
        return self.output(torch.stack(states, dim=1))


class LSTM(nn.Module):
    """Long short-term memory with one bias, one step at a time."""

    def __init__(self, alphabet_size: int, hidden_size: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(alphabet_size, 4 * hidden_size))
        self.u = nn.Parameter(torch.empty(hidden_size, 4 * hidden_size))
        self.b = nn.Parameter(torch.empty(4 * hidden_size))
        self.output = nn.Linear(hidden_size, alphabet_size)
        bound = 1 / math.sqrt(hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [batch, time, alphabet] for one-hot inputs [batch, time, alphabet]."""
        hidden = context = torch.zeros(len(inputs), len(self.u))  # [batch, hidden]
        states = []
        for t in range(inputs.shape[1]):
            net_inputs = inputs[:, t] @ self.w + hidden @ self.u + self.b  # [batch, 4 · hidden]
            to_input, to_forget, to_candidate, to_output = net_inputs.chunk(4, dim=1)
            context = torch.sigmoid(to_forget) * context + torch.sigmoid(to_input) * torch.tanh(to_candidate)
            hidden = torch.sigmoid(to_output) * torch.tanh(context)
            states.append(hidden)
        return self.output(torch.stack(states, dim=1))


class TorchRNN(nn.Module):
    """torch.nn.RNN and a linear layer; it has a second bias."""

    def __init__(self, alphabet_size: int, hidden_size: int) -> None:
        super().__init__()
        self.recurrent = nn.RNN(alphabet_size, hidden_size, batch_first=True)
        self.h0 = nn.Parameter(torch.empty(hidden_size))
        self.output = nn.Linear(hidden_size, alphabet_size)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.001)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [batch, time, alphabet] for one-hot inputs [batch, time, alphabet]."""
        states, _ = self.recurrent(inputs, torch.tanh(self.h0).repeat(1, len(inputs), 1))
        return self.output(states)


class TorchLSTM(nn.Module):
    """torch.nn.LSTM and a linear layer; it has a second bias."""

    def __init__(self, alphabet_size: int, hidden_size: int) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(alphabet_size, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, alphabet_size)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [batch, time, alphabet] for one-hot inputs [batch, time, alphabet]."""
        states, _ = self.recurrent(inputs)
        return self.output(states)


# Check ----------------------------------------------------------------------------------------------------------


def nine_points() -> tuple[Tensor, Tensor]:
    """Points [9, 2] and their labels [9]: 1 where x + y is odd."""
    points = torch.tensor([(float(x), float(y)) for x in range(3) for y in range(3)])
    return points, points.sum(dim=1) % 2


class Check(nn.Module):
    """Two layers of sigmoid units."""

    def __init__(self, hidden_size: int = 5) -> None:
        super().__init__()
        self.hidden = nn.Linear(2, hidden_size)
        self.output = nn.Linear(hidden_size, 1)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.15)

    def forward(self, points: Tensor) -> Tensor:
        """Probability that the label is 1, [batch], of points [batch, 2]."""
        return torch.sigmoid(self.output(torch.sigmoid(self.hidden(points)))).squeeze(1)


def train_on_points(network: nn.Module, points: Tensor, labels: Tensor) -> Iterator[Tensor]:
    """All points in each update, with the accuracy, on which the end of training depends."""
    loader = DataLoader(TensorDataset(points, labels), batch_size=len(points))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, weight_decay=1e-5)
    in_a_row = 0
    while True:
        for batch, targets in loader:
            outputs = network(batch)
            loss = F.binary_cross_entropy(outputs, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            accuracy = ((outputs >= 0.5) == (targets == 1)).float().mean().item()
            in_a_row = in_a_row + 1 if accuracy == 1 else 0
            yield loss


# Characters -----------------------------------------------------------------------------------------------------


def images_of(data: Path) -> DataLoader:
    """KMNIST's training set in batches, in file order."""
    from torchvision import datasets, transforms

    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    return DataLoader(datasets.KMNIST(data, train=True, transform=transform), batch_size=64)


def train_on_images(network: nn.Module, loader: DataLoader, momentum: float) -> Iterator[Tensor]:
    """One batch an update, epoch after epoch."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=momentum)
    while True:
        for images, targets in loader:
            loss = F.nll_loss(network(images), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield loss


class NetLin(nn.Module):
    """One linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(784, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities [batch, 10] of images [batch, 1, 28, 28]."""
        return F.log_softmax(self.output(images.flatten(1)), dim=1)


class NetFull(nn.Module):
    """Two dense layers, 300 hidden units."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, 300)
        self.output = nn.Linear(300, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities [batch, 10] of images [batch, 1, 28, 28]."""
        return F.log_softmax(self.output(torch.tanh(self.hidden(images.flatten(1)))), dim=1)


class NetConv(nn.Module):
    """Two convolutions and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 32, 5, padding=2)
        self.second = nn.Conv2d(32, 64, 5, padding=2)
        self.output = nn.Linear(64 * 784, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities [batch, 10] of images [batch, 1, 28, 28]."""
        maps = F.relu(self.second(F.relu(self.first(images))))
        return F.log_softmax(self.output(maps.flatten(1)), dim=1)


def products_of_netfull() -> Iterator[Tensor]:
    """The matrix products of an update of NetFull, and nothing else: two forwards, three back."""
    images, hidden, weight, output = torch.rand(64, 784), torch.rand(64, 300), torch.rand(300, 784), torch.rand(10, 300)
    d_hidden, d_output, d_weight = torch.empty(64, 300), torch.rand(64, 10), torch.empty(300, 784)
    d_output_weight, logits = torch.empty(10, 300), torch.empty(64, 10)
    while True:
        torch.mm(images, weight.T, out=hidden)
        torch.mm(hidden, output.T, out=logits)
        torch.mm(d_output.T, hidden, out=d_output_weight)
        torch.mm(d_output, output, out=d_hidden)
        torch.mm(d_hidden.T, images, out=d_weight)
        yield logits


def main() -> None:
    """Run one loop and print its time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("loop", choices=LOOPS)
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HUDYN_DATA", "data")))
    options = parser.parse_args()
    threads = options.threads or (os.cpu_count() or 1 if options.loop in ("full", "conv", "full_products") else 1)
    torch.set_num_threads(threads)
    losses = updates_of(options.loop, options.data)
    next(losses)  # lets torch initialise
    started, cpu_started = time.perf_counter(), time.process_time()
    for _ in islice(losses, options.updates):
        pass
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    print(json.dumps({"updates": options.updates, "seconds": seconds, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    main()
