"""The documentation is true: its commands run, its links and pictures are there, what it names exists."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from docs_support import (
    PAGES,
    ROOT,
    Block,
    blocks,
    class_labels,
    is_small_file,
    labels,
    messages,
    prose,
    short_line,
    small_file,
    truly_said,
)
from server_support import Server

from model_server.cli import build_parser, main

SHELL = blocks("sh")
ONLY_PARSED = {
    "corpus build": "speaks and collects for hours",
    "corpus perform": "performs hours of speech",
    "corpus add": "needs recordings of one's own; test_recordings.py runs it",
    "corpus heads": "renders hundreds of pictures",
    "corpus faces": "needs a data set of videos",
    "train": "trains for an hour or more; test_train_command.py runs it",
    "evaluate": "needs recordings with texts; test_evaluate_command.py runs it",
    "bench": "measures for minutes",
    "demo": "makes every output; `make demo` runs it",
    "serve": "runs until it is stopped; the blocks with curl talk to a running one",
    "capture --download-model": "fetches a file",
    "rigs check --recordings": "needs recordings and ICT-FaceKit; test_rigs_command.py runs it",
    "portrait --neural": "needs a checkpoint",
}
"""Commands whose words are only read by the real parser, and why they are not run."""

OF_THE_SYSTEM = {
    "apt": "packages of Debian",
    "apt-get": "packages of Debian",
    "brew": "packages of macOS",
    "git": "fetches the repository",
    "cd": "a folder of the user's",
    "source": "a shell's environment",
    "py": "Python's launcher on Windows",
}
"""Programs that are not ours; they are not run."""

BLENDERS_OWN = {"N", "X", "Space", "Ctrl Z", "DREAM-Talk"}
"""Keys and words of Blender that the README sets in bold."""


def script(name: str) -> ModuleType:
    """Return a script of the repository as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- Commands ------------------------------------------------------------------------------------------------------


def only_parsed(words: list[str]) -> bool:
    """Tell whether ``dreamtalk`` with these words is not run, by the table."""
    return any(all(part in words for part in key.split()) and words[0] == key.split()[0] for key in ONLY_PARSED)


def parse(words: list[str]) -> argparse.Namespace:
    try:
        return build_parser().parse_args(words)
    except SystemExit:
        pytest.fail(f"dreamtalk {' '.join(words)}: no such usage")


def run_dreamtalk(words: list[str], folder: Path) -> None:
    """Read the command's words by the real parser, and run it in ``folder``, unless the table says why not."""
    parse(words)
    if only_parsed(words):
        return
    for word in words:
        if is_small_file(word) and word not in outputs(words):
            small_file(folder, word)
    assert main([truly_said(word) for word in words]) == 0, f"dreamtalk {' '.join(words)}"
    for output in outputs(words):
        assert list(folder.glob(output.replace("####", "[0-9]*"))), f"{output} was not written"


def outputs(words: list[str]) -> list[str]:
    """Return what a command writes to."""
    return [words[number + 1] for number, word in enumerate(words[:-1]) if word in ("-o", "--out", "--output")]


def check_other(words: list[str]) -> None:
    """Check a command that is not ``dreamtalk``: what it names is there."""
    program, *rest = words
    if program == "make":
        done = subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    elif program == "accelerate":
        parse(rest[rest.index("model_server.cli") + 1 :])
    elif Path(program).name in ("python", "python3", "python3.11"):
        check_python(rest)
    elif Path(program).name == "pip":
        check_pip(rest)
    else:
        assert program in OF_THE_SYSTEM, f"no test knows what to do with: {' '.join(words)}"


def check_python(words: list[str]) -> None:
    """Check that the script or module is there and knows the options."""
    if words[:2] == ["-m", "venv"] or words[:2] == ["-m", "pip"]:
        check_pip(words[2:])
        return
    target = words[1] if words[0] == "-m" else words[0]
    path = ROOT / (f"{target.replace('.', '/')}.py" if words[0] == "-m" else target)
    path = path if path.exists() else path.with_suffix("") / "__main__.py"
    assert path.is_file(), f"{target} does not exist"
    source = path.read_text(encoding="utf-8")
    for word in words:
        if word.startswith("--"):
            assert f'"{word}"' in source, f"{target} has no option {word}"


def check_pip(words: list[str]) -> None:
    """Check that the extras that are asked for exist."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for word in words:
        for listed in re.findall(r"\[([\w,-]+)\]", word):
            assert set(listed.split(",")) <= set(extras), word


@pytest.mark.parametrize("block", [block for block in SHELL if "curl" not in block.text], ids=str)
def test_commands_run(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of one block run one after the other in a folder that holds small files of the names they use."""
    monkeypatch.chdir(tmp_path)
    if not re.search(r"--text|--remake|manifest", block.text):
        short_line(tmp_path / "line.wav")
    for words in block.commands():
        program = words[0].replace("\\", "/")
        if Path(program).name in ("dreamtalk", "dreamtalk.exe"):
            run_dreamtalk(words[1:], tmp_path)
        else:
            check_other([program, *words[1:]])


@pytest.fixture
def users_home(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working folder, with the running server's address where a user has it."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".dreamtalk").symlink_to(server.home)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("block", [block for block in SHELL if "curl" in block.text], ids=str)
def test_commands_that_talk_to_a_server_run(block: Block, users_home: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    small_file(users_home, "line.wav")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"take.npz", "take.csv"} <= {path.name for path in users_home.iterdir()}
    assert '"state":"done"' in done.stdout


def test_the_python_client_runs(users_home: Path) -> None:
    (block,) = [block for block in blocks("python") if block.page.name == "server_api.md"]
    small_file(users_home, "line.wav")
    done = subprocess.run([sys.executable, "-W", "error", "-c", block.text], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (users_home / "take.npz").stat().st_size > 1000


def test_tables_name_commands_that_are_used() -> None:
    """Nothing stays in the table when the documentation has dropped it."""
    used = [words[1:] for block in SHELL for words in block.commands() if Path(words[0]).name == "dreamtalk"]
    used += [["serve"]]
    for key in ONLY_PARSED:
        assert any(only_parsed(words) and words[0] == key.split()[0] for words in used), key


# --- Written pages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["write_openapi", "write_command_reference"])
def test_references_are_up_to_date(name: str) -> None:
    for path, text in script(name).contents().items():
        assert path.read_text(encoding="utf-8") == text, f"run: python scripts/{name}.py"


def test_every_option_of_the_documentation_exists() -> None:
    """In running text too: ``--name`` in code must be an option of some command of ours."""
    known = {
        name
        for parser in script("write_command_reference").parsers().values()
        for name in parser._option_string_actions
    }
    known |= {"--version"}
    for page in PAGES:
        text = re.sub(r"^( *)```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for code in re.findall(r"`((?:dreamtalk )?[^`\n]*)`", text):
            if code.startswith(("--", "dreamtalk ")):
                unknown = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", code)) - known
                assert not unknown, f"{page.name}: {code}"


def test_the_server_is_as_described(server: Server) -> None:
    """Every described route is there and behind the token, and health says what is described."""
    document = script("write_openapi").openapi()
    health = server.client.get("/v1/health").json()
    assert set(health) == set(document["components"]["schemas"]["Health"]["properties"])
    model = document["components"]["schemas"]["Health"]["properties"]["model"]
    assert set(health["model"]) == set(model["properties"])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            address = re.sub(r"\{\w+\}", "none", path)
            closed = server.client.request(method, address, headers={"Authorization": ""}).status_code
            assert closed == (200 if operation.get("security") == [] else 401), path
            answer = server.client.request(method, address)
            # Unknown jobs are told by a sentence; an unknown route would be called "Not Found".
            assert answer.json().get("detail") not in ("Not Found", "Method Not Allowed"), path


# --- Links, labels, messages ---------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    found = set()
    for title in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        kept = re.sub(r"[^\w\s-]", "", title.replace("`", "")).strip().lower()
        found.add(re.sub(r"[\s]+", "-", kept))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_pictures_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


def blenders_pages() -> list[tuple[str, str]]:
    """Return name and text of what is written for people in Blender, where bold is what the extension shows."""
    docs = ROOT / "docs"
    pages = [docs / "index.md", docs / "install.md", docs / "tutorial.md", *sorted((docs / "panels").glob("*.md"))]
    texts = [(page.relative_to(ROOT).as_posix(), prose(page)) for page in [*pages, docs / "troubleshooting.md"]]
    readme = prose(ROOT / "README.md")
    return [*texts, ("README.md", readme[readme.index("## In Blender") : readme.index("## The avatar")])]


def test_what_is_named_in_bold_is_in_the_extension() -> None:
    known = {label.rstrip(".:").casefold() for label in labels()} | {word.casefold() for word in BLENDERS_OWN}
    missing = [
        f"{name}: {label}"
        for name, text in blenders_pages()
        for label in re.findall(r"\*\*([^*]+)\*\*", text)
        if " ".join(label.split()).rstrip(".:").casefold() not in known
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("kind", ["PT", "OT"])
def test_every_panel_and_button_is_described(kind: str) -> None:
    text = " ".join(" ".join(text.split()) for _, text in blenders_pages())
    text += " ".join(" ".join(prose(ROOT / "docs" / name).split()) for name in ("characters.md", "portraits.md"))
    missing = sorted(label for label in class_labels(kind) if f"**{label}**" not in text and f"# {label}" not in text)
    assert not missing, missing


def test_messages_of_troubleshooting_are_those_of_the_program() -> None:
    """Each quoted message is a part of one that the program can say; ``…`` stands for what it puts in."""
    text = prose(ROOT / "docs" / "troubleshooting.md")
    quoted = [" ".join(message.split()) for message in re.findall(r"“([^”]+)”", text)]
    assert len(quoted) > 20
    missing = [message for message in quoted if not any(message in said for said in messages())]
    assert not missing, "\n".join(missing)


def test_the_site_builds(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is not installed; it is in the extra 'docs'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    built = (tmp_path / "site" / "commands.html").read_text(encoding="utf-8")
    assert "--emotion NAME:AMOUNT" in built
