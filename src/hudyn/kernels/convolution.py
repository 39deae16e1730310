"""Convolution that keeps the size of maps: torch's, or by the Fourier transform where that is faster."""

from typing import Any

import torch
from torch import Tensor


def convolve(convolution: Any, maps: Tensor) -> Tensor:
    """What `convolution` makes of `maps`, by the faster way; the same but for rounding.

    Args:
        convolution: an nn.Conv2d of stride 1, with a bias, and odd square kernels padded by half their side.
        maps: square, [batch, channels, side, side].

    Returns:
        [batch, output channels, side, side]
    """
    weight, bias = convolution.weight, convolution.bias
    whole = maps.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
    if maps.device.type != "cpu" or not whole or not _fourier_pays(len(maps), weight):
        return convolution(maps)
    return FourierConvolution.apply(maps, weight, bias)[0]


def _fourier_pays(batch: int, weight: Tensor) -> bool:
    """Whether the products saved outweigh the transforms, by times taken with maps of 28×28 on a CPU."""
    outputs, inputs, taps, _ = weight.shape
    transforms = 300 * batch * (inputs + outputs) + 200 * inputs * outputs  # of maps and kernels, in products
    return batch * inputs * outputs * taps**2 >= transforms


class FourierConvolution(torch.autograd.Function):
    """The convolution theorem (Mathieu, Henaff and LeCun 2014): a product of spectra at each of the frequencies.

    Maps are padded with zeros to a side at which what wraps around falls on the padding. As maps are real, half of the
    frequencies tell all. The few taps of the kernels are transformed by a matrix product.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(maps: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The result [batch, outputs, side, side]; spectra of maps and kernels, which backward needs."""
        side, (outputs, inputs, taps, _) = maps.shape[-1], weight.shape
        waves = _waves(_padded(side, taps), taps, maps.dtype)
        kernels = waves @ weight.permute(2, 3, 1, 0).reshape(taps * taps, -1).to(waves.dtype)
        kernels = kernels.reshape(-1, inputs, outputs)  # [frequencies, inputs, outputs]
        spectra = _spectra(maps, taps)  # [frequencies, batch, inputs]
        products = torch.bmm(spectra, kernels)  # [frequencies, batch, outputs]
        products[0] += bias * _padded(side, taps) ** 2  # a constant's spectrum
        return _maps(products, side, taps), spectra, kernels

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        """Keep the spectra."""
        _, spectra, kernels = output
        context.mark_non_differentiable(spectra, kernels)
        context.save_for_backward(spectra, kernels)
        context.taps = inputs[1].shape[-1]

    @staticmethod
    def backward(context: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        """Gradients of the maps, the kernels and the biases."""
        (spectra, kernels), taps, side = context.saved_tensors, context.taps, gradient.shape[-1]
        _, inputs, outputs = kernels.shape
        back = _spectra(gradient, taps)  # [frequencies, batch, outputs]
        of_maps = _maps(torch.bmm(back, kernels.mH), side, taps) if context.needs_input_grad[0] else None
        padded = _padded(side, taps)
        waves = _waves(padded, taps, gradient.dtype)
        twice = torch.full((padded // 2 + 1,), 2.0, dtype=gradient.dtype)  # for the frequencies that are left out
        twice[0] = twice[-1] = 1
        waves = (waves.view(padded, -1, taps * taps) * twice[:, None] / padded**2).flatten(0, 1)
        products = torch.bmm(spectra.mH, back).reshape(len(waves), -1)  # [frequencies, inputs · outputs]
        of_kernels = (waves.mH @ products).real.reshape(taps, taps, inputs, outputs).permute(3, 2, 0, 1)
        return of_maps, of_kernels, back[0].real.sum(dim=0)


def _padded(side: int, taps: int) -> int:
    """The least even side that leaves half a kernel of padding."""
    return side + taps // 2 + (side + taps // 2) % 2


def _waves(padded: int, taps: int, dtype: torch.dtype) -> Tensor:
    """What shifts a map by the place of each tap, from the middle, at each frequency: [frequencies, taps²]."""
    offsets = torch.arange(taps, dtype=torch.float64) - taps // 2
    rows = torch.arange(padded)[:, None, None, None] * offsets[:, None]
    columns = torch.arange(padded // 2 + 1)[:, None, None] * offsets
    angles = (rows + columns) * (2 * torch.pi / padded)  # [rows, columns, taps, taps]
    return torch.polar(torch.ones_like(angles), angles).view(-1, taps * taps).to(dtype.to_complex())


def _spectra(maps: Tensor, taps: int) -> Tensor:
    """Spectra of maps [batch, channels, side, side], padded: [frequencies, batch, channels]."""
    padded = _padded(maps.shape[-1], taps)
    spectra = torch.fft.rfft2(maps, s=(padded, padded)).reshape(maps.shape[0] * maps.shape[1], -1)
    return spectra.t().contiguous().reshape(-1, *maps.shape[:2])


def _maps(spectra: Tensor, side: int, taps: int) -> Tensor:
    """Maps of spectra [frequencies, batch, channels], without the padding: [batch, channels, side, side]."""
    padded, (_, batch, channels) = _padded(side, taps), spectra.shape
    spectra = spectra.reshape(-1, batch * channels).t().contiguous()
    maps = torch.fft.irfft2(spectra.reshape(batch, channels, padded, -1), s=(padded, padded))
    return maps[..., :side, :side]
