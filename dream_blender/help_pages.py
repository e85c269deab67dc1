"""The pages of the documentation inside Blender: the question mark of a panel shows its page in a Text Editor."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

PAGES = {
    "DREAMTALK_PT_speak": "speak.md",
    "DREAMTALK_PT_takes": "takes.md",
    "DREAMTALK_PT_emotion": "emotion.md",
    "DREAMTALK_PT_style": "emotion.md",
    "DREAMTALK_PT_adjust": "adjust.md",
    "DREAMTALK_PT_keys": "adjust.md",
    "DREAMTALK_PT_remake": "adjust.md",
    "DREAMTALK_PT_batch": "batch.md",
    "DREAMTALK_PT_portrait": "portrait.md",
    "DREAMTALK_PT_mapping": "shapes.md",
    "DREAMTALK_PT_transfer": "shapes.md",
    "DREAMTALK_PT_look": "look.md",
    "DREAMTALK_PT_poses": "look.md",
    "DREAMTALK_PT_files": "export.md",
    "DREAMTALK_PT_export": "export.md",
    "DREAMTALK_AP_preferences": "preferences.md",
}
"""Pages by the panels that they are about."""
_INSTALLED = Path(__file__).with_name("help")
_SOURCE = Path(__file__).parent.parent / "docs" / "panels"
_PREFIX = "DREAM-Talk: "  # of the names of our texts
_WIDTH = 80  # letters
_MARKS = (
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),  # links
    (re.compile(r"</?kbd>"), ""),
    (re.compile(r"\*\*(.+?)\*\*"), r"\1"),
    (re.compile(r"\*(\S.*?)\*"), r"\1"),
    (re.compile(r"`([^`]*)`"), r"\1"),
)
_HEADING = re.compile(r"(#+) (.*)")
_ITEM = re.compile(r"(?:-|\d+\.) ")
_RULE = re.compile(r"\|[-:| ]+\|")


def _folder() -> Path:
    """Return where the pages are: beside this file in the built extension, in the source in the documentation."""
    return _INSTALLED if _INSTALLED.is_dir() else _SOURCE


def _blocks(markdown: str) -> Iterator[list[str]]:
    """Yield headings, paragraphs, items and rows of tables, each as its lines; pictures are left out."""
    lines: list[str] = []
    for line in [*map(str.strip, markdown.splitlines()), ""]:
        if lines and (not line or line.startswith(("#", "|", "![")) or _ITEM.match(line)):
            yield lines
            lines = []
        if line and not line.startswith("!["):
            lines.append(line)


def _plain(text: str) -> str:
    for pattern, kept in _MARKS:
        text = pattern.sub(kept, text)
    return text


def _row(line: str) -> str:
    """Return a row of a table as an item: what it is about, a colon, and the rest."""
    first, *rest = [cell.strip() for cell in line.strip("|").split("|")]
    return f"- {first}: {' '.join(cell for cell in rest if cell)}"


def readable(markdown: str) -> str:
    """Return ``markdown`` as plain text of at most 80 letters a line, with its headings underlined."""
    done: list[str] = []
    blocks = list(_blocks(markdown))
    for block, following in zip(blocks, [*blocks[1:], [""]], strict=True):
        heading = _HEADING.match(block[0])
        if heading:
            title = _plain(heading[2])
            text = f"{title}\n{('=' if heading[1] == '#' else '-') * len(title)}"
        elif _RULE.fullmatch(block[0]) or _RULE.fullmatch(following[0]):
            continue  # the head of a table says less than its cells
        else:
            joined = _plain(_row(block[0]) if block[0].startswith("|") else " ".join(block))
            hanging = _ITEM.match(joined)
            indent = " " * (hanging.end() if hanging else 0)
            text = textwrap.fill(
                joined, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
        done.append(text)
    return "\n\n".join(done) + "\n"


def text_about(panel: str) -> Any:
    """Return the text with the page about the panel called ``panel``; it is filled again where it is there already."""
    page = readable((_folder() / PAGES[panel]).read_text(encoding="utf-8"))
    name = _PREFIX + page.partition("\n")[0]
    text = bpy.data.texts.get(name) or bpy.data.texts.new(name)
    text.from_string(page)
    text.cursor_set(0)
    text.use_fake_user = False
    return text


def _editor(windows: Any) -> Any:
    """Return the Text Editor that shows one of our pages, or else one in a new window."""
    for window in windows:
        for area in window.screen.areas:
            shown = area.spaces.active.text if area.type == "TEXT_EDITOR" else None
            if shown is not None and shown.name.startswith(_PREFIX):
                return area.spaces.active
    bpy.ops.wm.window_new()
    area = windows[-1].screen.areas[0]
    area.type = "TEXT_EDITOR"
    return area.spaces.active


class DREAMTALK_OT_help(bpy.types.Operator):
    """Show the page about this panel, in a window of its own"""

    bl_idname = "dream_talk.help"
    bl_label = "Show Help"
    bl_options = {"INTERNAL"}

    panel: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: Any) -> set[str]:
        """Load the page, and show it where there are windows."""
        text = text_about(self.panel)
        if not bpy.app.background:
            editor = _editor(context.window_manager.windows)
            editor.text = text
            editor.show_word_wrap = True
            editor.show_line_numbers = False
            editor.show_syntax_highlight = False  # it takes words for Python
            editor.top = 0
        return {"FINISHED"}


def draw(layout: Any, panel: str) -> None:
    """Draw a question mark that shows the page about the panel called ``panel``."""
    layout.operator("dream_talk.help", text="", icon="QUESTION", emboss=False).panel = panel


CLASSES = (DREAMTALK_OT_help,)
