"""Cells of CSV tables: texts that no spreadsheet reads as a formula, and paths that are not UTF-8."""

import os
import re

# Characters that begin a formula in a spreadsheet, also in the full-width forms of East Asian keyboards, and the
# apostrophe that marks a text.
_FORMULA = re.compile("['=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
# Escapes of `utf8_name`: a doubled backslash, a byte that is not UTF-8, a lone surrogate.
_ESCAPE = re.compile(r"\\(?:\\|x([0-9a-f]{2})|u(d[89ab][0-9a-f]{2}|d[c-f][0-9a-f]{2}))")


def text_cell(text: str) -> str:
    """Mark a text so that no spreadsheet reads it as a formula.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        `text`, with an apostrophe in front if `text` begins with ``= + - @``, a tab, a line break or an apostrophe. To
        get `text` back, remove one leading apostrophe from the cell.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def utf8_name(path: str) -> str:
    r"""Turn a path into a text that UTF-8 can encode and that can be turned back into the path.

    Parameters
    ----------
    path : str

    Returns
    -------
    str
        Text in which a byte that is not UTF-8 is written as ``\xff``. A backslash is doubled, except on systems where
        a backslash separates folders.
    """
    if os.sep != "\\":
        path = path.replace("\\", "\\\\")
    return re.sub("[\ud800-\udfff]", _escape_surrogate, path)


def _escape_surrogate(match):
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def path_of_cell(cell: str) -> str:
    """Return the path that a cell of a CSV table stands for: the inverse of ``text_cell(utf8_name(path))``.

    Parameters
    ----------
    cell : str

    Returns
    -------
    str
    """
    cell = cell.removeprefix("'")
    return cell if os.sep == "\\" else _ESCAPE.sub(_unescape, cell)


def _unescape(match):
    byte, code = match.groups()
    if byte is not None:
        return chr(0xDC00 + int(byte, 16))
    return chr(int(code, 16)) if code is not None else "\\"
