"""The plain loops do the same work as hudyn; times and ratios are computed correctly."""

import dataclasses
import json
import math
import random
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from omegaconf import OmegaConf

from hudyn import networks
from hudyn.config.compose import compose
from hudyn.languages import Counting
from hudyn.population import Population
from hudyn.tasks.characters import files
from hudyn.tasks.check import CheckGridDataModule

from .conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import ablation
import learned
import measure
import penalised
import plain
import published
import run
from sampled import Sampled

RATIOS = (1, 2, 3)
SYMBOLS = plain.draw_sequence(RATIOS, random.Random(1))


def given(loop, network):
    """Give a plain network, or one of torch.nn, the weights of hudyn's."""
    recurrent = getattr(loop, "recurrent", None)
    with torch.no_grad():
        if recurrent is None:
            loop.w.copy_(network.input_weight.T)
            loop.u.copy_(network.hidden_weight.T)
            loop.b.copy_(network.bias)
        else:
            recurrent.weight_ih_l0.copy_(network.input_weight)
            recurrent.weight_hh_l0.copy_(network.hidden_weight)
            recurrent.bias_ih_l0.copy_(network.bias)
            recurrent.bias_hh_l0.zero_()
        if hasattr(loop, "h0"):
            loop.h0.copy_(network.initial_hidden)
    loop.output.load_state_dict(network.output.state_dict())
    return loop


@pytest.mark.parametrize(
    ("loop", "network"),
    [
        (plain.SRN, lambda: networks.SRN(3, 4, init_std=0.7)),
        (plain.TorchRNN, lambda: networks.SRN(3, 4, init_std=0.7)),
        (plain.LSTM, lambda: networks.LSTM(3, 4)),
        (plain.TorchLSTM, lambda: networks.LSTM(3, 4)),
    ],
)
def test_loops_over_time_do_what_hudyns_networks_do(loop, network):
    ours = network()
    peer = given(loop(3, 4), ours)
    loss = F.cross_entropy(ours(SYMBOLS[None, :-1])[0][0], SYMBOLS[1:])
    found = plain.sequence_loss(peer, SYMBOLS)
    torch.testing.assert_close(found, loss)
    loss.backward()
    found.backward()
    torch.testing.assert_close(peer.output.weight.grad, ours.output.weight.grad)
    if hasattr(peer, "h0"):
        torch.testing.assert_close(peer.h0.grad, ours.initial_hidden.grad)


@pytest.mark.parametrize("name", ["NetLin", "NetFull", "NetConv"])
def test_image_networks_are_hudyns(name):
    ours, peer = getattr(networks, name)(), getattr(plain, name)()
    with torch.no_grad():
        for to, source in zip(peer.parameters(), ours.parameters(), strict=True):
            to.copy_(source)
    images = torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(peer(images), ours(images))


def test_the_check_network_and_its_points_are_hudyns():
    ours, peer, data = networks.GridMLP(5), plain.Check(), CheckGridDataModule()
    peer.load_state_dict(ours.state_dict())
    points, labels = plain.nine_points()
    torch.testing.assert_close(peer(points), torch.sigmoid(ours(points)))
    known = dict(zip(map(tuple, data.points.tolist()), data.labels.tolist(), strict=True))
    assert dict(zip(map(tuple, points.tolist()), labels.tolist(), strict=True)) == known


def test_sequences_are_of_the_recipe():
    generator = random.Random(0)
    language = Counting(RATIOS)
    lengths = set()
    for _ in range(50):
        *text, following = plain.draw_sequence(RATIOS, generator).tolist()
        read = language.read("".join("abc"[symbol] for symbol in text))
        assert (following, len(read.starts)) == (0, 5)
        lengths |= set(torch.tensor([*read.starts, len(text)]).diff().tolist())
    assert lengths == {6, 12, 18, 24}


def test_an_srn_with_weights_near_0_begins_as_a_coin():
    loss = next(plain.updates_of("srn", ROOT))
    assert loss.item() == pytest.approx(0.6931, abs=2e-3)


@pytest.mark.parametrize("name", [name for name in plain.LOOPS if name != "full_products"])
def test_every_loop_changes_its_network_by_two_updates(name, small_data):
    losses = [loss.item() for loss in islice(plain.updates_of(name, small_data), 3)]
    assert len(set(losses)) == 3
    assert all(0 < loss < 5 for loss in losses)


def optimizer(file, network, **changes):
    """hudyn's, as conf/optimizer/ has it."""
    settings = OmegaConf.merge(OmegaConf.load(ROOT / "conf" / "optimizer" / f"{file}.yaml"), changes)
    return instantiate(settings)(network.parameters())


def test_updates_on_words_are_of_hudyns_recipe():
    ours = networks.LSTM(3, 3)
    peer = given(plain.LSTM(3, 3), ours)
    found = [loss.item() for loss in islice(plain.train_on_words(peer, RATIOS, random.Random(5)), 3)]
    steps, generator, losses = optimizer("sgd_plain", ours), random.Random(5), []
    for _ in range(3):
        symbols = plain.draw_sequence(RATIOS, generator)
        losses.append(F.cross_entropy(ours(symbols[None, :-1])[0][0], symbols[1:]))
        steps.zero_grad()
        losses[-1].backward()
        steps.step()
    assert found == pytest.approx([loss.item() for loss in losses], rel=1e-6)
    torch.testing.assert_close(peer.u.T, ours.hidden_weight, rtol=0, atol=1e-7)


def test_updates_on_the_nine_points_are_of_hudyns_recipe():
    ours, peer = networks.GridMLP(5), plain.Check()
    peer.load_state_dict(ours.state_dict())
    points, labels = plain.nine_points()
    list(islice(plain.train_on_points(peer, points, labels), 30))
    steps = optimizer("adam", ours, weight_decay=1e-5)  # the latter is of the experiment
    for _ in range(30):
        steps.zero_grad()
        F.binary_cross_entropy_with_logits(ours(points), labels).backward()
        steps.step()
    torch.testing.assert_close(dict(peer.named_parameters()), dict(ours.named_parameters()), rtol=0, atol=1e-5)


def test_updates_on_images_are_of_hudyns_recipe(small_data):
    images, labels = files.read(small_data, "KMNIST", "train")
    loader = plain.images_of(small_data)
    shown, targets = (torch.cat(parts) for parts in zip(*loader, strict=True))
    torch.testing.assert_close(shown.squeeze(1), images / 127.5 - 1)
    assert torch.equal(targets, labels)
    ours, peer = networks.NetFull(), plain.NetFull()
    peer.load_state_dict(ours.state_dict())
    list(islice(plain.train_on_images(peer, loader, momentum=0.5), 5))
    steps = optimizer("sgd", ours)
    for first in range(0, 300, 64):
        steps.zero_grad()
        F.nll_loss(ours(shown[first : first + 64]), labels[first : first + 64]).backward()
        steps.step()
    torch.testing.assert_close(dict(peer.named_parameters()), dict(ours.named_parameters()))


# What is told ---------------------------------------------------------------------------------------------------


def test_a_child_is_measured():
    """In a process of its own, for on Linux a child's peak memory is never below that of its parent."""
    busy = "import time; held = bytearray(200 << 20)\nwhile time.process_time() < 0.3: pass\nprint('done')"
    script = f"""
import json, measure
cost, printed = measure.child(['-c', {busy!r}])
print(json.dumps([cost.wall_s, cost.cpu_s, cost.peak_mib, printed]))
"""
    measured = subprocess.run([sys.executable, "-c", script], cwd=ROOT / "benchmarks", check=True, capture_output=True)
    wall_s, cpu_s, peak_mib, printed = json.loads(measured.stdout)
    assert printed == "done\n"
    assert 0.3 <= cpu_s <= wall_s + 0.1
    assert 200 < peak_mib < 400


def test_a_child_that_fails_says_why():
    with pytest.raises(RuntimeError, match="status 3:\nno such luck"):
        measure.child(["-c", "import sys; print('no such luck', file=sys.stderr); sys.exit(3)"])
    measure.child(["-c", "import sys; sys.exit(3)"], status=3)


def test_rows_measured_again_take_their_places():
    one, two = {"workload": "SRN", "against": "loop"}, {"workload": "LSTM", "against": "loop"}
    assert run.merged([one | {"ratio": 1}, two | {"ratio": 2}], [one | {"ratio": 3}]) == [
        one | {"ratio": 3},
        two | {"ratio": 2},
    ]
    assert run.merged([one], [two]) == [one, two]


def test_ratios_are_paired():
    assert measure.paired_ratios([4, 9, 10], [2, 3, 2]) == (3, (2, 5))
    assert measure.paired_ratios([6], [3]) == (2, (2, 2))
    with pytest.raises(ValueError, match="shorter"):
        measure.paired_ratios([1, 2], [1])


@pytest.mark.parametrize(
    ("value", "told"),
    [(2.07e-5, "20.7 µs"), (0.00493, "4.93 ms"), (0.0123, "12.3 ms"), (6.151, "6.15 s"), (1234, "1,234 s")],
)
def test_times_have_units(value, told):
    assert measure.seconds(value) == told


def sampled():
    """Two turns of SRN with 64 members, and one of them whole; a loop's update takes 2 ms, then 4 ms."""
    cost = measure.Cost
    return {
        ("srn", "plain"): [run.Sample(cost(5, 6, 300), 1000, t, 1.5 * t) for t in (0.002, 0.004)],
        ("SRN, 64 members", "updates"): [run.Sample(cost(9, 9, 900), 10_000, 1e-3)] * 2,
        ("SRN, 64 members", "whole"): [run.Sample(cost(10, 12, 950), 10_000, 1e-3)],
        ("torch", "import"): [run.Sample(cost(2, 2, 200))],
        ("train.py --help", "start"): [run.Sample(cost(1.5, 2, 60))],
    }


def test_rows_tell_how_much_faster():
    many, start = run.rows(sampled())
    assert many["against"] == "64 × loop"
    assert many["against_s"] == pytest.approx([0.128, 0.256])
    assert (many["ratio"], *many["spread"]) == pytest.approx((192, 128, 256))
    assert (many["at_least"], many["reached"]) == (2000, False)
    whole = many["whole"]
    assert whole["against_s"] == pytest.approx([64 * (5 + 9000 * 0.002)])
    assert whole["ratio"] == pytest.approx(64 * 23 / 10)
    assert whole["cpu_s"] == pytest.approx([64 * (6 + 9000 * 0.003), 12])
    assert whole["peak_mib"] == [300, 950]
    assert (start["ratio"], start["at_most"], start["reached"]) == (0.75, 0.5, False)


def test_the_readmes_table(tmp_path):
    text = run.markdown(run.rows(sampled()), "one turn")
    assert (
        "| SRN, 64 members, an update | 64 × loop | 192 ms → 1.00 ms | 192× (128–256) | ≥ 2,000×, aim 5,000× |" in text
    )
    assert "| train.py --help | import torch | 2.00 s → 1.50 s | 0.75× | ≤ 0.5× |" in text
    memory = "SRN, 64 members 950 MiB (64 × loop: 300 MiB); train.py --help 60 MiB (import torch: 200 MiB)."
    assert " ".join(text.split("\n\n")[-1].split()) == f"Peak memory of whole processes: {memory}"
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    assert run.replace_table(readme, text)
    assert run.replace_table(readme, text)
    assert readme.read_text() == f"before\n<!-- bench -->\n{text}\n<!-- /bench -->\nafter\n"
    readme.write_text("no place\n")
    assert not run.replace_table(readme, text)
    assert readme.read_text() == "no place\n"


@pytest.mark.parametrize(("is_bf16", "goal"), [(True, "≥ 1.8×, aim 3×"), (False, "")])
def test_a_goal_in_bf16_holds_where_the_processor_has_it(is_bf16, goal):
    cost = measure.Cost(10, 20, 900)
    samples = {("conv", "plain"): [run.Sample(cost, 100, 0.1)]}
    samples["NetConv", "updates"] = [run.Sample(cost, 150, 0.05, is_bf16=is_bf16)]
    unit = "an epoch in bf16" if is_bf16 else "an epoch"
    assert f"| NetConv, {unit} | loop, DataLoader | 93.8 s → 46.9 s | 2.00× | {goal} |" in run.markdown(
        run.rows(samples), "one turn"
    )


def test_names_of_workloads():
    assert list(run.chosen_groups([])) == ["start", "srn", "lstm", "check", "lin", "full", "conv", "grid"]
    with pytest.raises(ValueError, match="--only sr: unknown workload; expected start, srn, lstm"):
        list(run.chosen_groups(["lin", "sr"]))


def test_kmnist_is_unpacked_where_it_is(small_data, tmp_path):
    assert "Set HUDYN_DATA to its folder" in run.unpack(tmp_path, tmp_path / "none")
    assert run.unpack(small_data, tmp_path / "all") is None
    assert len(list(plain.images_of(tmp_path / "all"))) == 5


def test_recipes_measured_again_take_their_places():
    def rows(*lines):
        return [[f"`{experiment}`", change, share, ""] for experiment, change, share in lines]

    first, second = "srn_anb2nc3n_fast", "srn_reber_fast"
    page = ablation.with_rows(
        f"a\n{ablation.BEGIN}\n{ablation.END}\nb\n", rows((second, "–", "1 %"), (second, "x", "2 %"))
    )
    page = ablation.with_rows(page, rows((first, "–", "3 %")))
    again = ablation.with_rows(page, rows((second, "–", "4 %")))
    assert [line.split("|")[3].strip() for line in page.splitlines() if "`" in line] == ["3 %", "1 %", "2 %"]
    assert [line.split("|")[3].strip() for line in again.splitlines() if "`" in line] == ["3 %", "4 %"]
    assert (again.startswith("a\n"), again.endswith("\nb\n")) == (True, True)
    with pytest.raises(ValueError, match="no <!-- ablation -->"):
        ablation.with_rows("no place\n", [])


def test_every_change_of_a_recipe_is_a_valid_config():
    for experiment, recipe in ablation.RECIPES.items():
        for overrides in ([], *recipe.changes.values()):
            compose([f"experiment={experiment}", *ablation.QUICK, *recipe.settings, *overrides])
    for overrides in learned.CHANGES.values():
        compose(["experiment=srn_anbn_counting", *learned.QUICK, *overrides])


# The published tables -------------------------------------------------------------------------------------------


def rows_of(table):
    return [row for row in published.ROWS if row.table == table]


@pytest.mark.parametrize("row", rows_of("lan_2022"), ids=lambda row: row.about[0])
def test_the_test_words_have_the_published_optimum(row):
    words, pairs = row.words()[1], 1 + (row.about[0] == "Dyck-2")
    go, turn = -math.log2(0.7), -math.log2(0.3)
    bits = 0.0
    for word in words:
        opened = word.count("(") + word.count("[")
        bits += opened * (turn + math.log2(pairs)) + (opened + 1) * go if row.about[0].startswith("Dyck") else 0
        counted = {"a^n b^m c^(n+m)": "ab"}.get(row.about[0], "a")
        bits += sum(turn + (word.count(symbol) - 1) * go for symbol in counted if symbol in word)
    assert 100 * bits / sum(len(word) - 1 for word in words) == pytest.approx(float(row.about[1]), abs=0.06)


def test_a_language_of_words_draws_each_as_often_as_it_is_given():
    language = Sampled({"##": 1, "#ab#": 2, "#aabb#": 1})
    drawn = ["".join(language.alphabet[symbol] for symbol in text.symbols) for text in texts_of(language, 400)]
    assert {word: drawn.count(word) / 400 for word in set(drawn)} == pytest.approx(
        {"##": 0.25, "#ab#": 0.5, "#aabb#": 0.25}, abs=0.08
    )


def texts_of(language, number):
    generator = np.random.default_rng(0)
    return [language.text(1, generator) for _ in range(number)]


def test_bits_and_errors_of_words_are_those_of_each_network(monkeypatch):
    monkeypatch.setattr(published, "AT_ONCE", 30)
    population = Population(lambda: networks.LSTM(3, 4), members=2)
    words = ["#ab#", "#aabb#", "#aaabbb#"]
    bits, right = published.scored(population, ("#", "a", "b"), words)
    for place, word in enumerate(words):
        symbols = torch.tensor(["#ab".index(symbol) for symbol in word])
        logits = population.map(symbols[:-1].expand(2, 1, -1))[0][:, 0]
        for member in range(2):
            nats = F.cross_entropy(logits[member], symbols[1:], reduction="sum").item()
            assert bits[member, place].item() == pytest.approx(nats / math.log(2), rel=1e-5)
            hits = (logits[member].argmax(-1) == symbols[1:])[symbols[:-1] == 2]
            assert right[member, place] == hits.all()


def test_the_first_word_that_is_wrong_ends_the_count(monkeypatch):
    first_wrong = torch.tensor([1, 40, 41, 101])  # 101 for none
    tried = []

    def scored(population, alphabet, words):
        tried.extend(words)
        return None, torch.stack([torch.tensor(words) != wrong for wrong in first_wrong])

    monkeypatch.setattr(published, "scored", scored)
    words = list(range(1, 101))
    assert published.longest(Population(lambda: networks.SRN(2), members=4), "ab", words).tolist() == [0, 39, 40, 100]
    assert tried == words


def on_all_words(setting, words, lane, updates):
    """Parameters of a torch.nn.LSTM after each update on weighted words, and its loss on longer words then."""
    network = torch.nn.LSTM(3, 3, batch_first=True), torch.nn.Linear(3, 3)
    *recurrent, second_bias = network[0].parameters()
    parameters = [*recurrent, *network[1].parameters(), second_bias]
    for parameter, part in zip(parameters, torch.from_numpy(setting.start).split(penalised.SIZES), strict=True):
        parameter.data = part.view_as(parameter).clone()
    optimizer, stream, after, losses = torch.optim.Adam(parameters), np.random.default_rng(0), [], []

    def loss(weights, dropout):
        total, count = 0.0, 0.0
        for n, weight in sorted(weights.items()):
            symbols = torch.tensor([0] + [1] * n + [2] * n + [0])
            hidden = network[0](F.one_hot(symbols[:-1], 3).float())[0]
            if dropout:
                drawn = torch.from_numpy(stream.random((2 * n + 1, 3, 16))[..., lane])
                hidden = hidden * (drawn >= np.float32(dropout)) / (1 - dropout)
            total = total + weight * F.cross_entropy(network[1](hidden.float()), symbols[1:], reduction="sum")
            count += weight * (2 * n + 1)
        return total / count

    for _ in range(updates):
        penalty = sum(setting.l1 * p.abs().sum() + setting.l2 * p.square().sum() for p in parameters)
        optimizer.zero_grad()
        (loss(words, setting.dropout) + penalty).backward()
        optimizer.step()
        after.append(torch.cat([p.detach().flatten() for p in parameters]).numpy())
        with torch.no_grad():
            losses.append(float(loss({max(words) + 1 + more: 0.7**more for more in range(3)}, 0)))
    return after, losses


def test_penalised_networks_are_those_of_torch(monkeypatch):
    monkeypatch.setattr(penalised, "drawn", lambda size: np.array([0] * 9 + [1]))
    settings = [penalised.Setting("uniform", 500), penalised.Setting("normal", 300, l1=0.1),
                penalised.Setting("normal", 500, l2=0.5, dropout=0.4)]  # fmt: skip
    found = penalised.trained_by(settings, 60, updates=12)
    ended = set()
    for lane, setting in enumerate(settings):
        after, losses = on_all_words(setting, {0: 9, 1: 1}, lane, 12)
        waited = [update - int(np.argmin(losses[: update + 1])) for update in range(12)]
        for patience, vector in zip((*penalised.PATIENCES, 99), found[:, lane], strict=True):
            end = next((update for update in range(12) if waited[update] >= patience), 11)
            assert np.allclose(vector, after[end], rtol=0, atol=2e-5)  # a fiftieth of a step
            ended.add(end)
    assert ended == {2, 10, 11}  # by each patience, and not at all


def test_penalised_networks_count_as_hudyns_do():
    vectors = np.stack([setting.start for setting in penalised.GRID[:2]])
    logits = penalised.population_of(vectors).map(torch.tensor([[0, 1, 2]]).expand(2, 1, -1))[0]
    network = torch.nn.LSTM(3, 3, batch_first=True)
    *parts, readout, readout_bias, second_bias = torch.from_numpy(vectors[1]).split(penalised.SIZES)
    for parameter, part in zip(network.parameters(), [*parts, second_bias], strict=True):
        parameter.data = part.view_as(parameter)
    hidden = network(torch.eye(3)[None])[0][0]
    assert torch.allclose(logits[1, 0], F.linear(hidden, readout.view(3, 3), readout_bias), atol=1e-6)


def test_the_interval_of_a_median_covers_it():
    assert published.median_interval(range(1, 11)) == (2, 9)
    assert published.median_interval([5, 1]) == (1, 5)


def test_published_tables_go_on_where_they_were_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "WORK", tmp_path)
    monkeypatch.setattr(published, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(published, "values_of", lambda row, run: run)
    row, made = dataclasses.replace(rows_of("lan_2022")[0], runs=[["seed=0"], ["seed=1"], ["seed=2"]]), []

    def trained(key, settings, threads):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(settings)
        return [float(len(made))]

    monkeypatch.setattr(published, "trained", trained)
    with pytest.raises(KeyboardInterrupt):
        published.measured(row, {}, threads=1)
    before = made.copy()
    made.clear()
    assert published.measured(row, json.loads(published.RESULTS.read_text()), threads=1) == [1, 2, 1]
    assert [*before, *made] == published.settings_of(row)


def test_each_network_of_the_grid_is_in_one_row():
    """Each part of the grid takes its values of every patience."""
    size = len(penalised.GRID)
    results = {"lan_2024_500": list(range(3 * size))}
    rows = [row for row in rows_of("lan_2024") if row.penalised and row.penalised[0] == 500]
    parts = [published.measured(row, results, threads=1) for row in rows]
    assert sorted(value for part in parts for value in part) == results["lan_2024_500"]
    assert [len(part) for part in parts] == [30, 90, 720]
    assert [value % size for value in parts[0][:10]] == [value % size for value in parts[0][10:20]]


def test_published_rows_are_valid_configs(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "WORK", tmp_path)
    rows = [row for row in published.ROWS if row.about[0] != "Dyck-2" and not row.penalised]
    chosen = {(row.table, row.words is None): row for row in rows}
    for row in chosen.values():
        compose([*published.settings_of(row)[-1], *published.QUICK], [tmp_path / "conf"])


def test_published_cells_tell_shares_and_medians():
    gers, lan_2024, lan_2022 = (rows_of(table)[0] for table in published.HEADINGS)
    reached = [10.0, 20.0, 1000.0]
    assert published.cells_of(gers, reached) == ["3", "10", "20 (10–1,000)", "1,000", "1 of 3 (6.1–79.2 %)"]
    assert published.cells_of(lan_2024, reached) == ["3", "1 of 3 (6.1–79.2 %)", "21 (11–1,001)", "none"]
    assert published.cells_of(lan_2022, [26.0, 60.0]) == ["2", "26.0", "43.0 (26.0–60.0)", "1 of 2 (9.5–90.5 %)"]


def test_the_page_has_a_place_for_each_published_table():
    page = published.PAGE.read_text()
    for table, heading in published.HEADINGS.items():
        assert {len(heading)} == {len(row) for row in [heading, *published.THEIRS[table]]}
        row = ["x"] * len(heading)
        assert f"\n| {' | '.join(row)} |\n" in published.with_table(page, table, [row])
    with pytest.raises(ValueError, match="no <!-- gers -->"):
        published.with_table("no place\n", "gers", [])
