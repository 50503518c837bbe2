"""The pages of the published systems, the order of the gallery, and the notebooks of its examples."""

import ast
import json
from pathlib import Path

import pytest

from benchmarks.systems_pages import DOCS, collect, fill, main

PAGES = sorted((DOCS / "systems").glob("*.md"))
EXAMPLES = sorted((DOCS / "examples").rglob("plot_*.py"))
TABLE = """<!-- table
file: systems/toy-one.csv
rows: b = the second, "a, long"
columns: AUC, detected
-->
old
<!-- end of table -->
"""


@pytest.fixture
def docs(tmp_path):
    folder = tmp_path / "docs" / "results" / "systems"
    folder.mkdir(parents=True)
    (folder / "toy-one.csv").write_text(
        'detector,AUC,AUC low,AUC high,detected\n"a, long",0.5,0.25,0.75,10%\nb,0.98765,0.9,1,90%\nc,0,0,0,0%\n'
    )
    (folder / "toy.json").write_text(json.dumps({"command": "python -m toy", "date": "2026-01-02"}))
    return tmp_path / "docs"


def test_the_pages_of_the_systems_have_the_figures_of_the_files():
    assert len(PAGES) == 6
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert fill(text) == text, f"{page}: run python -m benchmarks.systems_pages"


def test_a_table_has_the_asked_rows_and_columns_with_intervals_and_names_its_file(docs):
    (docs / "systems").mkdir()
    page = docs / "systems" / "toy.md"
    page.write_text(f"# Toy\n\n{TABLE}\nEnd.\n")
    main(["--docs", str(docs)])
    lines = page.read_text().splitlines()
    assert [line for line in lines if line.startswith("|")] == [
        "| detector | AUC | detected |",
        "| --- | --- | --- |",
        "| the second | 0.988 [0.900, 1.000] | 90% |",
        "| a, long | 0.500 [0.250, 0.750] | 10% |",
    ]
    assert "[toy-one.csv](../results/systems/toy-one.csv), `python -m toy`, 2026-01-02." in lines
    assert "old" not in lines
    assert lines[-1] == "End."


@pytest.mark.parametrize(("right", "wrong"), [("b = the", "d = the"), ("AUC,", "pAUC,")])
def test_a_row_or_column_that_the_file_lacks_is_an_error(docs, right, wrong):
    with pytest.raises(ValueError, match=r"toy-one\.csv has no row or column"):
        fill(TABLE.replace(right, wrong), docs)


def test_reports_are_copied_without_the_folder_of_the_output(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    about = {"command": "python -m toy --output /home/me --seeds 3", "tables": [{"file": "machines-a.csv"}]}
    (source / "machines.json").write_text(json.dumps(about))
    (source / "machines-a.csv").write_text("a\n1\n")
    collect(source, tmp_path)
    target = tmp_path / "results" / "systems"
    assert json.loads((target / "machines.json").read_text())["command"] == "python -m toy --seeds 3"
    assert (target / "machines-a.csv").read_text() == "a\n1\n"
    with pytest.raises(FileNotFoundError, match="none of the reports"):
        collect(tmp_path, tmp_path)


def test_the_gallery_knows_the_place_of_every_example():
    tree = ast.parse((DOCS / "conf.py").read_text(encoding="utf-8"))
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    for example in EXAMPLES:
        assert example.name in words, f"{example.name} is missing in within_subsection_order of conf.py"
        assert example.parent.name in words, f"{example.parent.name} is missing in subsection_order"
        assert (example.parent / "README.txt").is_file()
    assert {word for word in words if str(word).startswith("plot_")} == {"plot_", *(e.name for e in EXAMPLES)}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_notebook_of_an_example_has_the_code_that_the_tests_run(example):
    pytest.importorskip("sphinx_gallery", reason="sphinx-gallery makes the notebooks (extra docs)")
    from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
    from sphinx_gallery.notebook import jupyter_notebook
    from sphinx_gallery.py_source_parser import split_code_and_text_blocks

    settings = {**DEFAULT_GALLERY_CONF, "pypandoc": False}
    _, blocks = split_code_and_text_blocks(str(example))
    notebook = jupyter_notebook(blocks, settings, str(Path(example).parent))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code = [ast.parse("".join(cell["source"])) for cell in cells]
    assert len(code) > 1
    run = ast.parse(example.read_text(encoding="utf-8")).body[
        1:
    ]  # the first statement is the text of the page
    in_notebook = [ast.dump(statement) for module in code for statement in module.body]
    assert in_notebook == [ast.dump(statement) for statement in run]
