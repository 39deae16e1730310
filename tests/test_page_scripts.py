"""The page's scripts: their own tests, run by node, and that they fit into one scope."""

import re
import shutil
import subprocess
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from hudyn.page.assets import script

HERE = Path(__file__).parent
node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed; it runs the tests of the page")
DEFINED = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)


@node
@pytest.mark.parametrize("tests", sorted(HERE.glob("js/*.test.mjs")), ids=lambda path: path.stem)
def test_the_scripts_pass_their_own_tests(tests):
    done = subprocess.run(["node", "--test", tests], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


@node
def test_the_page_s_script_is_one_valid_module(tmp_path):
    whole = tmp_path / "page.mjs"
    whole.write_text(script("run_page"), encoding="utf-8")
    done = subprocess.run(["node", "--check", whole], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_name_is_defined_once():
    """All files share one scope in the page."""
    sources = [
        path.read_text(encoding="utf-8")
        for path in (files("hudyn.page") / "assets").iterdir()
        if path.name.endswith(".js")
    ]
    names = Counter(name for source in sources for name in DEFINED.findall(source))
    assert [name for name, number in names.items() if number > 1] == []
    assert "import " not in script("run_page")
