"""What the README says is so."""

import re
import shlex

import pytest

from .conftest import ROOT, SHORT

README = (ROOT / "README.md").read_text()


def blocks(language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for kind, text in found if kind == language]


def test_a_network_of_ones_own_runs_as_shown(command, tmp_path):
    for block in blocks("python") + blocks("yaml"):
        name = re.search(r"^# (\S+\.\w+)$", block, re.MULTILINE)[1]
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(block)
    (line,) = [line for block in blocks("") for line in block.splitlines() if line.startswith("hudyn ")]
    with pytest.warns(UserWarning, match="Bottleneck cannot be mapped over members"):
        outcome = command(*shlex.split(line)[1:], *SHORT)
    assert outcome.status == 0, outcome.err
    assert outcome.results["network"] == {"class": "bottleneck.Bottleneck", "parameters": 7960}
    assert len(outcome.values("test/accuracy")) == 2
    outcome = command("--config-dir", "mine", "experiment=my_weights")
    assert outcome.status == 0, outcome.err
    assert outcome.results["evaluation"]["dividing_lines"][0]["line"] == "x = 0.5"


COMMANDS = sorted(
    {line.split("#")[0].strip() for block in blocks("") for line in block.splitlines() if "train.py" in line}
    | set(re.findall(r"`(python train\.py [^`]*)`", README))
)


@pytest.mark.parametrize("line", [line for line in COMMANDS if "resume=" not in line])
def test_every_command_composes(line):
    from hudyn.cli.check import check
    from hudyn.cli.compose import Composer
    from hudyn.cli.objects import check_objects

    arguments = shlex.split(line)[2:]
    overrides = [argument for argument in arguments if not argument.startswith("-")]
    composer = Composer(overrides, "-m" in arguments)
    assert composer.problems == []
    for _, config in composer.jobs():
        assert check(config, composer.files) == []
        assert [problem for problem in check_objects(config) if "gpu" not in problem.message] == []


@pytest.mark.parametrize("settings", re.findall(r"\| `((?!python )[a-z][^`|]*=[^`|]*)`", README))
def test_every_setting_shown_exists(settings):
    from hudyn.cli.compose import Composer

    assert Composer(shlex.split(settings.replace("<folder>", "x"))).problems == []


def test_no_figure_is_left_to_fill_in():
    assert re.findall(r"TODO|TBD|XX|\?\?", README) == []
    table = README.partition("<!-- bench -->")[2].partition("<!-- /bench -->")[0]
    assert table.count("\n| ") > 10  # rows, which benchmarks/run.py writes


def test_folders_and_files_it_names_exist():
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / name).is_file()
    for target in re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE):
        assert f"\n{target}: " in (ROOT / "Makefile").read_text()
