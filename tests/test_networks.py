import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hudyn.networks import NetConv, NetFull, NetLin, layer_parameters


@pytest.mark.parametrize(
    ("build", "parameters"),
    [(NetLin, 7_850), (NetFull, 238_510), (lambda: NetFull(hidden_size=100), 79_510), (NetConv, 553_866)],
)
def test_parameter_counts_are_the_assignments(build, parameters):
    network = build()
    assert sum(layer.parameters for layer in layer_parameters(network)) == parameters
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_arithmetic_is_written_out_and_adds_up():
    layers = layer_parameters(NetConv())
    assert [layer.arithmetic for layer in layers] == ["32·1·5·5 + 32", "64·32·5·5 + 64", "10·50176 + 10"]
    for layer in layers:
        assert eval(layer.arithmetic.replace("·", "*")) == layer.parameters


def test_a_shared_weight_counts_once():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    assert sum(layer.parameters for layer in layer_parameters(nn.Sequential(first, second))) == 9 + 3 + 3


@pytest.mark.parametrize("build", [NetLin, NetFull, NetConv])
def test_outputs_are_log_probabilities(build):
    outputs = build()(torch.randn(3, 1, 28, 28))
    assert outputs.shape == (3, 10)
    torch.testing.assert_close(outputs.exp().sum(1), torch.ones(3))


def test_netfull_is_tanh_between_two_layers():
    network, images = NetFull(hidden_size=7), torch.randn(4, 1, 28, 28)
    hidden = torch.tanh(images.view(4, 784) @ network.hidden.weight.T + network.hidden.bias)
    expected = F.log_softmax(hidden @ network.output.weight.T + network.output.bias, dim=1)
    torch.testing.assert_close(network(images), expected)


def test_netconv_is_two_padded_convolutions_with_relu():
    network, images = NetConv(), torch.randn(2, 1, 28, 28)
    maps = images
    for convolution in network.convolutions:
        maps = F.conv2d(maps, convolution.weight, convolution.bias, padding=2).relu()
    assert maps.shape == (2, 64, 28, 28)
    torch.testing.assert_close(network(images), F.log_softmax(network.output(maps.flatten(1)), dim=1))


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: NetFull(hidden_size=0), "hidden_size"),
        (lambda: NetConv(channels=[]), "channels"),
        (lambda: NetConv(channels=[4, 0]), "channels"),
        (lambda: NetConv(kernel_size=4), "kernel_size"),
    ],
)
def test_impossible_sizes_are_named(build, argument):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        build()
