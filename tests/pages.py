"""Read pages in Markdown: blocks of code, links, and the anchors of headings."""

import re

_FENCE = re.compile(r"^ *(`{3,})(.*)$")
_HEADING = re.compile(r"^#{1,6} (.+?) *#*$")
_LINK = re.compile(r"(?<!\\)\[(?:[^][]|\[[^]]*\])*\]\(<?([^()\s>]+)>?\)")
_CODE = re.compile(r"`[^`\n]*`")
_INCLUDE = re.compile(r"^```\{include\} (\S+)\n```$", re.MULTILINE)
_TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def find_blocks(text):
    """Return the blocks of code of a page as pairs of language and code.

    Directives of MyST, such as ``{container}``, are no blocks, but may hold blocks.
    """
    blocks, ends, language, ticks, lines = [], [], None, "", []
    for line in text.splitlines(keepends=True):
        fence = _FENCE.match(line.rstrip())
        closes = fence is not None and not fence[2].strip()
        if language is not None:
            if closes and len(fence[1]) >= len(ticks):
                blocks.append((language, "".join(lines)))
                language = None
            else:
                lines.append(line)
        elif closes and ends and len(fence[1]) >= ends[-1]:
            ends.pop()
        elif fence is not None and fence[2].lstrip().startswith("{"):
            ends.append(len(fence[1]))
        elif fence is not None:
            language, ticks, lines = fence[2].strip(), fence[1], []
    return blocks


def without_code(text):
    """Return the text of a page without its blocks of code and its code in lines."""
    kept, ticks = [], ""
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if ticks:
            if fence is not None and not fence[2].strip() and len(fence[1]) >= len(ticks):
                ticks = ""
        elif fence is not None and fence[2].strip() and not fence[2].lstrip().startswith("{"):
            ticks = fence[1]
        elif fence is None:
            kept.append(line)
    return "\n".join(kept)


def find_links(text):
    """Return the targets of the links and pictures of a page."""
    return _LINK.findall(_CODE.sub("`", without_code(text)))


def find_toctree_entries(text):
    """Return the names in the toctrees of a page."""
    lines = [line.strip() for body in _TOCTREE.findall(text) for line in body.splitlines()]
    return [line for line in lines if line and not line.startswith(":")]


def find_anchors(page):
    """Return the anchors of the headings of a page, as GitHub and MyST name them."""
    text = page.read_text(encoding="utf-8")
    for included in _INCLUDE.findall(text):
        text += (page.parent / included).read_text(encoding="utf-8")
    anchors = []
    for line in without_code(text).splitlines():
        heading = _HEADING.match(line)
        if heading is not None:
            plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
            anchors.append(f"{anchor}-{anchors.count(anchor)}" if anchor in anchors else anchor)
    return anchors
