"""What the README and the pages in docs/ say is so."""

import itertools
import os
import re
import shlex
import subprocess
from functools import partial
from pathlib import Path

import pytest

from .conftest import ROOT, SHORT

PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))}
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"^# (\S+\.\w+)$", re.MULTILINE)
SHORT_TRAINING = ["trainer.max_steps=60", "data.evaluation_interval=30", "data.evaluation_sequences=20", "members=2"]
LONGEST_README = 165  # lines
TRAINED = ("my_weights", "name=marked", "name=readout")  # examples that are run; the others are composed and checked


def blocks(page, language):
    return [text for kind, text in BLOCK.findall(PAGES[page]) if kind == language]


def examples(page):
    """Files shown on a page, by name."""
    shown = [block for kind in ("python", "yaml") for block in blocks(page, kind)]
    return {name[1]: block for block in shown if (name := FILE_NAME.search(block))}


def snippets(page):
    """Python shown on a page that is not a file."""
    return [block for block in blocks(page, "python") if not block.startswith("# ")]


def commands(program):
    """Commands that begin with `program`, in blocks and in running text: page and command."""
    in_blocks = [
        (page, line.split("#")[0].strip())
        for page in PAGES
        for block in blocks(page, "")
        for line in re.sub(r"\\\n\s*", "", block).splitlines()
        if line.startswith(program)
    ]
    in_text = [(page, line) for page, text in PAGES.items() for line in re.findall(rf"`({program}[^`]*)`", text)]
    return sorted({*in_blocks, *in_text})


EXAMPLES = [(page, line) for page, line in commands("hudyn ") if examples(page)]
COMPOSED = sorted({line for _, line in commands(r"python train\.py ") if "resume" not in line and "--help" not in line})
SETTINGS = sorted(
    {text for page in PAGES.values() for text in re.findall(r"\| `((?!python )[a-z][^`|]*=[^`|]*)` \|", page)}
)
SNIPPETS = [(page, snippet) for page in PAGES for snippet in snippets(page)]


@pytest.fixture
def write_examples(tmp_path):
    """Writes a page's files into the current folder, which it returns."""

    def write(page):
        for name, text in examples(page).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


@pytest.fixture
def run_example(command, write_examples):
    """Runs a command of a page, shortened, in a folder with the page's files."""

    def run(page, line):
        write_examples(page)
        short = SHORT_TRAINING if "experiment=srn_" in line else SHORT if "experiment=kmnist_" in line else []
        return command(*shlex.split(line)[1:], *short, draws="with_readout" in line)

    return run


@pytest.mark.parametrize(("page", "line"), [example for example in EXAMPLES if example[1].endswith(TRAINED)])
def test_an_example_runs(page, line, run_example):
    outcome = run_example(page, line)
    assert outcome.status == 0, outcome.err
    assert outcome.results["status"] == "done"
    if "my_weights" in line:
        assert outcome.results["evaluation"]["dividing_lines"][0]["line"] == "x = 0.5"
    if "marked" in line:
        assert outcome.results["evaluation"]["alphabet"] == ["a", "b", "c"]
    if "with_readout" in line:
        assert (outcome.folder / "figures/readout.png").exists()
        assert len((outcome.folder / "tables/readout.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(("page", "line"), EXAMPLES)
def test_every_example_composes(page, line, write_examples, monkeypatch):
    from hudyn.config.compose import compose

    monkeypatch.chdir(write_examples(page))
    monkeypatch.syspath_prepend(".")
    overrides = [argument for argument in shlex.split(line)[1:] if "=" in argument]
    assert "--config-dir mine" in line
    compose(overrides, [Path("mine")])


def test_a_network_of_ones_own_runs_as_shown(run_example):
    ((page, line),) = [example for example in EXAMPLES if "narrow" in example[1]]
    with pytest.warns(UserWarning, match="Narrow cannot be mapped over members"):
        outcome = run_example(page, line)
    assert outcome.status == 0, outcome.err
    assert outcome.results["network"] == {"class": "narrow.Narrow", "parameters": 7960}
    assert len(outcome.values("test/accuracy")) == 2


@pytest.mark.parametrize(("page", "snippet"), SNIPPETS)
def test_every_python_snippet_runs(page, snippet, command, write_examples, monkeypatch):
    import hudyn

    monkeypatch.syspath_prepend(write_examples(page))
    short = {"trainer.max_steps": 60, "data.evaluation_interval": 30, "data.evaluation_sequences": 20}
    monkeypatch.setattr(hudyn, "train", partial(hudyn.train, **short))
    exec(compile(snippet, page, "exec"), {})


@pytest.mark.parametrize("line", COMPOSED)
def test_every_command_composes(line):
    from hudyn.config.check import check
    from hudyn.config.compose import Composer
    from hudyn.config.objects import check_objects

    arguments = shlex.split(line)[2:]
    overrides = [argument for argument in arguments if not argument.startswith("-")]
    composer = Composer(overrides, "-m" in arguments)
    assert composer.problems == []
    for _, config in itertools.islice(composer.jobs(), 8):  # the other jobs of a sweep differ in numbers alone
        assert check(config, composer.files) == []
        assert [problem for problem in check_objects(config) if "gpu" not in problem.message] == []


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_setting_shown_exists(settings):
    from hudyn.config.compose import Composer

    assert Composer(shlex.split(settings.replace("<folder>", "x"))).problems == []


def test_no_figure_is_left_to_fill_in():
    for page in PAGES.values():
        assert re.findall(r"TODO|TBD|XX|\?\?", page) == []
    for page, marker in (("docs/speed.md", "bench"), ("docs/dynamics.md", "mechanisms")):
        table = PAGES[page].partition(f"<!-- {marker} -->")[2].partition(f"<!-- /{marker} -->")[0]
        assert table.count("\n| ") > 5  # rows


def test_the_readme_is_short_and_links_every_page():
    assert len(PAGES["README.md"].splitlines()) <= LONGEST_README
    for page in (*PAGES, "docs/assignment.ipynb", "docs/counter.ipynb"):
        assert page == "README.md" or f"]({page})" in PAGES["README.md"]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", PAGES[page]):
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_folders_and_targets_it_names_exist():
    for folder in re.findall(r"^\| `([a-z/]+)/`", PAGES["README.md"], re.MULTILINE):
        assert (ROOT / folder).is_dir()
    for page in PAGES.values():
        for target in re.findall(r"(?:^|`)make ([a-z]+)", page, re.MULTILINE):
            assert f"\n{target}: " in (ROOT / "Makefile").read_text()
        for name in re.findall(r"`(conf/[\w/]+\.yaml)`", page):
            assert (ROOT / name).is_file()


def test_files_are_listed_once():
    files = re.findall(r"^\| (`.*?) \|", PAGES["docs/files.md"].partition("\n## ")[0], re.MULTILINE)
    assert len(files) == len(set(files)) > 8


def test_the_members_of_a_language_are_listed():
    from hudyn.languages.text import check_language

    with pytest.raises(ValueError, match="object lacks") as caught:
        check_language(object())
    for member in re.findall(r"\w+(?=[,;])", str(caught.value)):
        assert f"`{member}`" in PAGES["docs/extending.md"]


def test_every_experiment_is_described():
    for experiment in (ROOT / "conf/experiment").glob("*.yaml"):
        assert (
            f"`{experiment.stem}`" in PAGES["docs/experiments.md"]
            or f"experiment={experiment.stem}" in (PAGES["docs/experiments.md"])
        )


def test_make_passes_settings_on():
    given = subprocess.run(
        ["make", "-n", "train", "experiment=check_step", "members=8", "tags=a>b", "ARGS=seed=1 threads=1"],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    command = shlex.split(given.stdout.splitlines()[-1])
    assert set(command[2:]) == {"experiment=check_step", "members=8", "tags=a>b", "seed=1", "threads=1"}
