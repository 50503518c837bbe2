"""Read the tables that some data sets come with."""

import csv


def read_header(table):
    """Return the names of the columns of a csv file, without blanks around them."""
    with open(table, encoding="utf-8-sig", errors="replace", newline="") as file:
        return [name.strip() for name in next(csv.reader(file), [])]


def read_table(
    table,
    columns,
    *,
    blank=(),
    optional=(),
    lower=False,
    remedy="Get the table from the publisher again.",
):
    """Return the rows of a csv file, without blanks around the values.

    Parameters
    ----------
    table : path-like
        File in UTF-8, with commas between the values and the names of the columns in the first line.
    columns : sequence of str
        Columns that the table must have. Every row needs a value in each of them.
    blank : sequence of str
        Those of `columns` in which a row may have no value.
    optional : sequence of str, or None
        Further columns to return, where the table has them. None returns all other columns.
    lower : bool, default=False
        Whether the names of the columns are read in lower case.
    remedy : str
        Last sentence of the errors.

    Returns
    -------
    list of tuple (int, dict of {str: str})
        Number of the line, and the values of the row. Empty lines are passed over.

    Raises
    ------
    ValueError
        If the file is no csv file in UTF-8, lacks a column or a value, or has a line with too many or too few values.
        The error names the file and the line.
    """
    try:
        # The encoding utf-8-sig drops the byte order mark that spreadsheet programs add. With utf-8 the first column
        # would be called '\ufeffGender'.
        with open(table, encoding="utf-8-sig", newline="") as file:
            return _rows(
                table, csv.DictReader(file, skipinitialspace=True), columns, blank, optional, lower, remedy
            )
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table}: the table must be a csv file in UTF-8: {error}. {remedy}") from error


def _rows(table, reader, columns, blank, optional, lower, remedy):
    header = [(name or "").strip() for name in reader.fieldnames or []]
    reader.fieldnames = header = [name.lower() for name in header] if lower else header
    missing = [column for column in columns if column not in header]
    if missing:
        separator = " Separate the values by commas." if len(header) == 1 and ";" in header[0] else ""
        raise ValueError(
            f"{table}: the table must have the columns {', '.join(columns)}; {', '.join(missing)} not found "
            f"among {', '.join(header)}.{separator} {remedy}"
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise ValueError(f"{table}: the table has two columns called {', '.join(twice)}. {remedy}")
    kept = [
        *columns,
        *(name for name in (header if optional is None else optional) if name in header and name),
    ]
    rows = []
    for row in reader:
        if any((value or "").strip() for value in row.pop(None, [])):
            raise ValueError(
                f"{table}, line {reader.line_num}: the line must have at most {len(header)} values, like the first "
                f"line. Put a value with a comma into quotation marks. {remedy}"
            )
        values = {column: (row[column] or "").strip() for column in dict.fromkeys(kept)}
        if not any(values.values()):
            continue  # the table ends with a line of separators
        if None in row.values():
            raise ValueError(
                f"{table}, line {reader.line_num}: the line must have {len(header)} values, like the first line. "
                f"{remedy}"
            )
        empty = [column for column in columns if not values[column] and column not in blank]
        if empty:
            raise ValueError(
                f"{table}, line {reader.line_num}: every column must have a value; {', '.join(empty)} is empty. "
                f"{remedy}"
            )
        rows.append((reader.line_num, values))
    return rows
