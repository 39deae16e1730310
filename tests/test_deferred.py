"""Packages that are loaded only when they are used: absent from a run, and whole for whoever uses them."""

import subprocess
import sys

SCRIPT = """
import sys
import hudyn
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.core.module import Metric

layer = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
optimizer.zero_grad()
assert torch.func.grad(torch.sin)(torch.zeros(())) == 1
import hudyn.run.training, hudyn.tasks.check, hudyn.tasks.sequences
assert not {"scipy.stats", "torchvision", "triton", "torch._dynamo.utils"} & set(sys.modules)

# Flops are counted, by the class and by one that extends it.
from torch.utils.flop_counter import FlopCounterMode

class Counter(FlopCounterMode):
    pass

for counter in Counter(display=False), FlopCounterMode(display=False):
    with counter:
        layer(torch.ones(4, 2))
    assert counter.get_total_flops() == 32

# All of torchmetrics is there, in the modules that Lightning knows.
from torchmetrics.image import StructuralSimilarityIndexMeasure
import scipy.signal
import torchmetrics
import torchvision

image, target = torch.rand(1, 1, 16, 16), torch.tensor([0, 1, 1])
accuracy = torchmetrics.Accuracy("binary")
assert StructuralSimilarityIndexMeasure(data_range=1.0)(image, image) > 0.99
assert accuracy(target, target) == 1 and isinstance(accuracy, Metric) and torchmetrics.Metric is Metric
assert torchmetrics.audio.PermutationInvariantTraining
assert scipy.signal.hamming  # a repair that torchmetrics makes
assert torchvision.ops.nms(torch.tensor([[0.0, 0, 1, 1]]), torch.ones(1), 0.5).tolist() == [0]

# Compiled autograd may be the first thing that is asked of torch._dynamo.
from torch._dynamo import compiled_autograd

assert not compiled_autograd.in_compiled_autograd_region

# A submodule of torch._dynamo is imported once, within its package.
import torch._dynamo.config as config
from torch._dynamo.utils import counters

assert config is sys.modules["torch._dynamo"].config is torch._dynamo.config
with torch._dynamo.compiled_autograd._enable(lambda graph: graph):
    assert torch._dynamo.compiled_autograd.compiled_autograd_enabled
assert counters is torch._dynamo.utils.counters and torch._dynamo.utils.__spec__.loader.path.endswith("utils.py")

# Lightning trains a compiled module, and the compiler keeps out of optimizers.
from lightning.pytorch.utilities.compile import from_compiled, to_uncompiled

class Module(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = layer

    def training_step(self, batch):
        return self.layer(batch).square().mean()

    def configure_optimizers(self):
        return optimizer

before = layer.weight.clone()
assert isinstance(to_uncompiled(from_compiled(torch.compile(Module(), backend="eager"))), Module)
trainer = Trainer(max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
trainer.fit(torch.compile(Module(), backend="eager"), torch.utils.data.DataLoader(torch.ones(4, 2)))
assert not torch.equal(before, layer.weight)
zero_grad = torch.optim.Optimizer.zero_grad.__wrapped__
assert vars(zero_grad)["__dynamo_disable"] is not zero_grad
"""


def test_what_a_run_leaves_out_is_whole_for_its_users():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
