import numpy as np
import pytest
import torch
from torch import nn

from hudyn.figures import classification, style, sweep, weights
from hudyn.figures.style import pixels
from hudyn.metrics.classification import Mistake
from hudyn.networks import NetConv, NetFull, NetLin

LABELS = ["お o", "き ki", "す su"]


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]


def assert_nothing_cut_off(figure):
    """The frame of the picture is blank: nothing reaches over its edge."""
    picture = pixels(figure)
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    assert (edge == 255).all()


@pytest.fixture(params=[False, True], ids=["no kana font", "kana font"])
def _fonts(request, monkeypatch):
    """Whether or not a font with kana is installed here: figures never show boxes."""
    if not request.param:
        monkeypatch.setattr(style, "kana_fonts", list)
    elif not style.kana_fonts():
        pytest.skip("no font with kana is installed")


@pytest.mark.usefixtures("_fonts")
@pytest.mark.filterwarnings("error:Glyph")
def test_confusion_matrix_shows_every_count_and_class():
    matrix = torch.tensor([[8, 1, 1], [0, 10, 0], [4, 0, 6]])
    figure = classification.confusion_matrix(matrix, LABELS, "NetLin")
    shown = texts(figure)
    assert shown.count("0") >= 3
    assert {"8", "10", "4", "6", "true class", "predicted class", "NetLin", *style.printable(LABELS)} <= set(shown)
    assert_nothing_cut_off(figure)


def test_labels_lose_their_kana_where_no_font_has_it(monkeypatch):
    monkeypatch.setattr(style, "kana_fonts", list)
    assert style.printable(LABELS) == ["o", "ki", "su"]


@pytest.mark.parametrize("members", [2, 8, 64])
def test_small_matrices_name_each_seed(members):
    figure = classification.confusion_matrices(
        torch.eye(3).expand(members, 3, 3), torch.linspace(0, 1, members), range(5, 5 + members)
    )
    assert f"seed {5 + members - 1}: 100.00%" in texts(figure)
    assert_nothing_cut_off(figure)


@pytest.mark.parametrize("number", [0, 1, 24])
def test_mistakes_name_true_and_predicted_class_and_probability(number):
    found = [Mistake(place, 2, 1, 0.987654) for place in range(number)]
    figure = classification.mistakes(torch.zeros(number, 28, 28), found, ["a", "b", "ankle boot"], "mistakes")
    assert texts(figure).count("ankle boot → b\n98.76%") == number
    assert_nothing_cut_off(figure)


@pytest.mark.parametrize("members", [1, 5])
def test_learning_curves_have_a_line_a_split(members):
    history = {"epoch": np.arange(1, 4)} | {
        f"{split}/{name}": np.random.default_rng(0).random((3, members))
        for split in ("train", "val", "test")
        for name in ("loss", "accuracy")
    }
    figure = classification.learning_curves(history, 0, "seed 0", "NetLin")
    assert {"NetLin", "train", "val", "test", "loss", "accuracy", "epoch"} <= set(texts(figure))
    assert ("thick lines: seed 0" in texts(figure)) == (members > 1)
    assert_nothing_cut_off(figure)


@pytest.mark.parametrize(
    ("network", "name", "shape"),
    [
        (NetLin(), "output", (10, 28, 28)),
        (NetFull(hidden_size=70), "hidden", (70, 28, 28)),
        (NetConv(), "convolutions.0", (32, 5, 5)),
    ],
)
def test_first_layers_are_seen_as_images(network, name, shape):
    layer, pictures = weights.first_layer(network, (1, 28, 28))
    assert (layer, tuple(pictures.shape)) == (name, shape)
    figure = weights.weight_images(pictures, None, "weights")
    assert str(min(len(pictures), 64) - 1) in texts(figure)
    assert_nothing_cut_off(figure)


def test_a_unit_of_netlin_sees_the_pixels_in_their_place():
    network = NetLin()
    with torch.no_grad():
        network.output.weight.zero_()[3, 28 * 5 + 9] = 1
    _, pictures = weights.first_layer(network, (1, 28, 28))
    assert pictures[3].nonzero().tolist() == [[5, 9]]


def test_a_first_layer_of_another_kind_is_left_out():
    network = nn.Sequential(nn.Flatten(2), nn.GRU(784, 3))
    assert weights.first_layer(network, (1, 28, 28)) is None


@pytest.mark.parametrize("settings", [["5", "50", "500"], ["net_lin", "net_full", "net_conv"]])
def test_a_sweep_shows_each_value_and_tells_of_jobs_without_result(settings):
    figure = sweep.objective_against_settings(
        {"model.network.hidden_size": settings}, [[0.1, 0.2], [], [0.4, 0.5]], "test/accuracy"
    )
    shown = texts(figure)
    assert {*settings, "model.network.hidden_size", "test/accuracy", "1 job without a result"} <= set(shown)
    assert_nothing_cut_off(figure)


def test_two_swept_settings_are_told_apart():
    settings = {"optimizer.lr": ["0.01", "0.01", "1.0", "1.0"], "hidden_size": ["5", "10", "5", "10"]}
    figure = sweep.objective_against_settings(settings, [[0.1, 0.3], [0.4], [0.2], [0.6]], "test/accuracy")
    by_lr, by_size = figure.axes[:2]
    assert [text.get_text() for text in by_lr.get_legend().get_texts()] == ["5", "10"]
    means = {line.get_label(): list(line.get_ydata()) for line in by_lr.get_lines() if line.get_label() in ("5", "10")}
    assert means == {"5": pytest.approx([0.2, 0.2]), "10": pytest.approx([0.4, 0.6])}
    assert by_size.get_legend().get_title().get_text() == "optimizer.lr"
    assert_nothing_cut_off(figure)
