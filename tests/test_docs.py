"""README.md and docs/: what they show runs, what they name is there, and tables of keys follow from the code."""

import importlib.util
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path

import pytest
import typer

import mbsim
from mbsim.cli import main
from mbsim.cli.app import app
from mbsim.config import load_config
from mbsim.config.fields import any_name

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TINY = """
name = "quickstart"
model = "sparse-vector"
grid = { N = [8, 16], d = [5], m = [18, 20, 22, 24, 26, 28, 30, 32], teachers = 2, replicas = 4 }
dynamics = { sweeps = 40 }
"""
WITH_PYTHON = [page for page in PAGES if "```python" in page.read_text()]
WITH_SHELL = [page for page in PAGES if "```sh" in page.read_text()]

of_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page, language):
    """The code of a language in a page, each with the number of the line before it."""
    text = page.read_text()
    return [
        (text[: found.start()].count("\n") + 1, found[2])
        for found in FENCED.finditer(text)
        if found[1] == language
    ]


def prose(page):
    """A page without its code."""
    return FENCED.sub("", page.read_text())


def in_backticks(page):
    return re.findall(r"`([^`\n]+)`", prose(page))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the configuration and the run that the pages speak of, small."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "configs").mkdir()
    (folder / "configs" / "quickstart.toml").write_text(TINY)
    mbsim.run(folder / "configs" / "quickstart.toml", folder / "runs" / "quickstart", progress=False)
    return folder


def script_of(page):
    """The Python of a page, from top to bottom, each line with its number in the page."""
    lines = [""] * (page.read_text().count("\n") + 1)
    for start, code in blocks(page, "python"):
        code_lines = code.splitlines()
        lines[start : start + len(code_lines)] = code_lines
    return "\n".join(lines) + "\n"


def words_of(code):
    """The commands of a block of shell, without comments."""
    return [words for line in code.splitlines() if (words := shlex.split(line, comments=True))]


def parse(words):
    """Refuse a command line of mbsim that its help does not know."""
    commands = typer.main.get_command(app)
    command = commands.get_command(typer.Context(commands), words[1])
    command.make_context(words[1], list(words[2:]))


def only_read(words):
    """Whether a command of mbsim takes long, or needs what is not here."""
    long_runs = {path.stem for path in (ROOT / "configs").glob("*.toml")} - {"quickstart"}
    named = {Path(word).stem for word in words if "/" in word}
    return words[1] in ("doctor", "bench") or "--dask" in words or bool(named & long_runs)


def check(words, capsys):
    """Run a command, or see that there is such a one."""
    if words[0] == "mbsim":
        parse(words)
        if not only_read(words):
            assert main(words[1:]) == 0, capsys.readouterr().err
        for path in (Path(word) for word in words if word.endswith(".toml")):
            assert load_config(ROOT / path)
    elif words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif words[0] == "python":
        source = (ROOT / words[1]).read_text()
        assert all(f'"{word}"' in source for word in words[2:] if word.startswith("--"))
    else:
        assert words[:3] == ["pip", "install", "-e"]
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert words[3].strip(".[]") in extras


QUICK_PAGES = ("README.md",)
RUN_PAGES = [
    pytest.param(page, marks=() if page.name in QUICK_PAGES else pytest.mark.slow, id=page.name)
    for page in sorted({*WITH_PYTHON, *WITH_SHELL})
]


@pytest.mark.parametrize("page", RUN_PAGES)
def test_what_a_page_shows_runs(page, trained, tmp_path, monkeypatch, capsys):
    """Its Python as one script, in a process of its own; then its commands, where the script has left its folders."""
    here = tmp_path / "here"
    shutil.copytree(trained, here)
    monkeypatch.chdir(here)
    if page in WITH_PYTHON:
        script = here / f"{page.stem}.py"
        script.write_text(script_of(page))
        environment = {**os.environ, "MPLBACKEND": "Agg"}
        done = subprocess.run([sys.executable, script.name], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    for _, code in blocks(page, "sh"):
        for words in words_of(code):
            check(words, capsys)


@of_page
def test_configurations_are_right(page):
    """Those of docs/extending.md name what its script registers."""
    for _, code in blocks(page, "toml"):
        with any_name() if page.name == "extending.md" else nullcontext():
            assert load_config(tomllib.loads(code))


def test_the_readme_shows_the_quickstart():
    [(_, shown)] = blocks(ROOT / "README.md", "toml")
    assert load_config(tomllib.loads(shown)).hash == load_config(ROOT / "configs" / "quickstart.toml").hash


def test_the_readme_is_short_and_names_every_page():
    text = (ROOT / "README.md").read_text()
    assert text.count("\n") <= 120
    assert set(re.findall(r"\(docs/([\w-]+)\.md\)", text)) == {page.stem for page in PAGES[1:]}


def test_code_is_in_a_language_that_is_tested():
    for page in PAGES:
        assert {found[1] for found in FENCED.finditer(page.read_text())} <= {
            "python",
            "toml",
            "sh",
            "bash",
            "py",
        }


@of_page
def test_scripts_for_clusters_are_right(page, tmp_path):
    """Their syntax, and every command of mbsim in them; what they need is not here."""
    for _, code in blocks(page, "bash"):
        done = subprocess.run(["bash", "-n"], input=code, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        for words in words_of(code):
            if "mbsim" in words:
                parse(words[words.index("mbsim") :])
    for _, code in blocks(page, "py"):
        compile(code, page.name, "exec")


def anchors(page):
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@of_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@of_page
def test_files_that_are_named_exist(page):
    for word in in_backticks(page):
        if re.fullmatch(r"(mbsim|tests|configs|benchmarks|docs)/[\w./*-]+", word):
            assert list(ROOT.glob(word.rstrip("/"))), word


@of_page
def test_functions_that_are_named_exist(page):
    for word in in_backticks(page):
        for name in re.findall(r"(?<![\w.\"])((?:mbsim|fss)(?:\.\w+)+)", word):
            name = name if name.startswith("mbsim") else f"mbsim.{name}"
            assert pkgutil.resolve_name(name) is not None


@of_page
def test_commands_in_the_text_exist(page):
    for word in in_backticks(page):
        words = word.split()
        if words[0] == "mbsim" and len(words) > 1 and "FILE" not in word:
            assert words[1] in typer.main.get_command(app).commands, word
            told = typer.main.get_command(app).commands[words[1]].params
            options = {"--help", *(option for one in told for option in one.opts)}
            assert {option for option in words if option.startswith("--")} <= options, word


@of_page
def test_tables_follow_from_the_code(page):
    """Written by `python docs/tables.py`."""
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    assert tables.filled(page.read_text()) == page.read_text()
