// The list of clips. Only the rows in view are in the document, so that 20 000 rows stay quick.

const labelWord = (label) => ({ 1: "normal", "-1": "anomalous", 0: "unknown" })[label] || "";
const hasLabels = data.clips.some((clip) => clip.label === 1 || clip.label === -1);
const collator = new Intl.Collator("en", { numeric: true });
const decisionOrder = { anomalous: 0, normal: 1, error: 2 };
const markOrder = Object.keys(MARKS);

const LIST_COLUMNS = [
  { id: "decision", title: "Decision", key: (clip) => decisionOrder[clip.decision] },
  { id: "name", title: "Name", key: (clip) => clip.name, compare: collator.compare },
  { id: "score", title: "Score", key: (clip) => clip.score },
  { id: "p", title: "p-value", key: (clip) => clip.p_value },
  { id: "worst", title: "Worst at", key: (clip) => clip.worst },
  ...(hasLabels ? [{ id: "label", title: "Label", key: (clip) => clip.label || null }] : []),
  { id: "mark", title: "Mark", key: (clip) => (markOf(clip).mark ? markOrder.indexOf(markOf(clip).mark) : null) },
];
const FILTERS = [
  ["all", "All", () => true],
  ["anomalous", "Anomalous", (clip) => clip.decision === "anomalous"],
  ["normal", "Normal", (clip) => clip.decision === "normal"],
  ["errors", "Not read", (clip) => clip.decision === "error"],
  ["marked", "Marked", (clip) => Boolean(markOf(clip).mark)],
  ["unmarked", "Unmarked", (clip) => !markOf(clip).mark],
];
// Maximum number of rows that are printed.
const MAX_PRINTED = 500;

const list = { filter: "all", query: "", sort: "score", down: false, rows: data.clips.slice(), rowHeight: 34, first: -1, last: -1, all: false };
let selected = null;

function decisionBadge(decision) {
  const { icon, word } = DECISIONS[decision];
  return h("span", { class: `badge badge-${decision}` }, h("span", { "aria-hidden": "true", class: "icon" }, icon), h("span", { class: "word" }, word));
}

function markBadge(mark) {
  if (!mark) return null;
  return h("span", { class: "mark" }, h("span", { "aria-hidden": "true", class: "icon" }, MARKS[mark].icon), h("span", { class: "word" }, MARKS[mark].word));
}

/** Show a long name with its end, because the names of recordings often differ in their last characters. */
function shortName(name) {
  const text = visible(name);
  const cut = text.length - 12;
  return text.length > 20 ? [h("span", { class: "head" }, text.slice(0, cut)), h("span", { class: "tail" }, text.slice(cut))] : [h("span", { class: "head" }, text)];
}

function row(clip, index) {
  const isSelected = clip === selected;
  const { word } = DECISIONS[clip.decision];
  return h("tr", { "aria-rowindex": index + 2, class: isSelected ? "selected" : null, onclick: () => select(clip, { fromList: true }) },
    h("td", { class: "col-decision" }, decisionBadge(clip.decision)),
    h("td", { class: "col-name" }, h("button", {
      type: "button", class: "open", tabindex: isSelected || (!list.rows.includes(selected) && index === 0) ? "0" : "-1",
      "aria-current": isSelected ? "true" : null, "aria-label": clip.name, title: clip.path, "data-id": clip.id,
    }, shortName(clip.name))),
    h("td", { class: "col-score number" }, clip.decision === "error" ? "\u2013" : showScore(clip.score)),
    h("td", { class: "col-p number" }, showP(clip.p_value)),
    h("td", { class: "col-worst number" }, showTime(clip.worst)),
    hasLabels ? h("td", { class: "col-label" }, labelWord(clip.label)) : null,
    h("td", { class: "col-mark" }, markBadge(markOf(clip).mark)));
}

function sortRows() {
  const column = LIST_COLUMNS.find((each) => each.id === list.sort);
  const compare = column.compare || ((a, b) => a - b);
  const sign = list.down ? -1 : 1;
  const [, , keep] = FILTERS.find(([id]) => id === list.filter);
  const query = list.query.toLowerCase();
  const found = data.clips.filter((clip) => keep(clip) && (!query || visible(clip.path).toLowerCase().includes(query) || visible(clip.name).toLowerCase().includes(query)));
  const keyed = found.map((clip, i) => [column.key(clip), i, clip]);
  const absent = (key) => key === null || key === undefined;
  // Rows without a value are last in both directions.
  keyed.sort(([a, i], [b, j]) => absent(a) - absent(b) || (absent(a) ? 0 : sign * compare(a, b)) || i - j);
  list.rows = keyed.map((each) => each[2]);
}

/** Show the rows again after a change of the filter, the order or the marks. */
function updateList() {
  sortRows();
  list.first = -1;
  for (const column of LIST_COLUMNS) {
    const header = list.headers[column.id];
    header.setAttribute("aria-sort", column.id === list.sort ? (list.down ? "descending" : "ascending") : "none");
    header.querySelector(".arrow").textContent = column.id === list.sort ? (list.down ? "\u25bc" : "\u25b2") : "";
  }
  list.choice.value = list.sort;
  for (const [id, , keep] of FILTERS) {
    const button = list.filters[id];
    button.setAttribute("aria-pressed", String(id === list.filter));
    button.querySelector(".count").textContent = count(data.clips.filter(keep).length);
  }
  list.table.setAttribute("aria-rowcount", list.rows.length + 1);
  list.found.textContent = list.rows.length === data.clips.length ? "" : `${count(list.rows.length)} of ${plural(data.clips.length, "recording")} shown`;
  list.none.hidden = list.rows.length > 0;
  list.none.textContent = data.clips.length ? "No recording fits the filter and the search." : "The report holds no recordings.";
  showRows();
}

function showRows() {
  const n = list.rows.length;
  const height = list.rowHeight;
  const head = list.table.tHead.offsetHeight;
  const top = Math.max(0, Math.floor((list.scroller.scrollTop - head) / height) - 10);
  const [first, last] = list.all ? [0, Math.min(n, MAX_PRINTED)] : [Math.min(top, Math.max(0, n - 1)), Math.min(n, top + Math.ceil(list.scroller.clientHeight / height) + 20)];
  if (first === list.first && last === list.last) return;
  [list.first, list.last] = [first, last];
  const focused = list.body.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  const spacer = (rows) => (rows > 0 ? h("tr", { "aria-hidden": "true", class: "spacer" }, h("td", { colspan: LIST_COLUMNS.length, style: { height: `${rows * height}px` } })) : null);
  list.body.replaceChildren(...[spacer(first), ...list.rows.slice(first, last).map((clip, i) => row(clip, first + i)), list.all ? null : spacer(n - last)].filter(Boolean));
  if (focused) list.body.querySelector(`[data-id="${focused}"]`)?.focus({ preventScroll: true });
}

/** Show the selected row, and scroll only if the row is not in view. */
function revealSelected(focus) {
  const index = list.rows.indexOf(selected);
  list.first = -1;
  if (index >= 0) {
    const head = list.table.tHead.offsetHeight;
    const top = head + index * list.rowHeight;
    const { scrollTop, clientHeight } = list.scroller;
    if (top - head < scrollTop) list.scroller.scrollTop = top - head;
    else if (top + list.rowHeight > scrollTop + clientHeight) list.scroller.scrollTop = top + list.rowHeight - clientHeight;
  }
  showRows();
  if (focus && selected) list.body.querySelector(`[data-id="${selected.id}"]`)?.focus({ preventScroll: true });
}

/** Sort the rows by a column, or turn the order if the rows are sorted by the column. */
function sortBy(id) {
  list.down = list.sort === id && !list.down;
  list.sort = id;
  list.scroller.scrollTop = 0;
  updateList();
}

function listSection(menu) {
  list.headers = {};
  const headers = LIST_COLUMNS.map((column) => {
    const button = h("button", { type: "button", onclick: () => sortBy(column.id) }, column.title, h("span", { class: "arrow", "aria-hidden": "true" }));
    list.headers[column.id] = h("th", { scope: "col", class: `col-${column.id}` }, button);
    return list.headers[column.id];
  });
  list.body = h("tbody");
  list.table = h("table", { class: "list" }, h("caption", { class: "unseen" }, "Recordings. A button in a header sorts the rows."), h("thead", {}, h("tr", { "aria-rowindex": 1 }, headers)), list.body);
  list.none = h("p", { class: "none", hidden: true });
  list.scroller = h("div", { class: "scroller" }, list.table, list.none);
  list.found = h("p", { class: "found", role: "status" });
  let frame = 0;
  list.scroller.addEventListener("scroll", () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(showRows);
  });
  // A narrow list hides some columns, so their headers cannot be pressed.
  list.choice = h("select", { onchange: () => sortBy(list.choice.value) }, LIST_COLUMNS.map(({ id, title }) => h("option", { value: id }, title)));
  const order = h("label", { class: "sort" }, "Sort by", list.choice);
  list.filters = {};
  const filters = FILTERS.map(([id, title]) => {
    list.filters[id] = h("button", { type: "button", class: "filter", onclick: () => {
      list.filter = id;
      list.scroller.scrollTop = 0;
      updateList();
    } }, title, " ", h("span", { class: "count" }));
    return list.filters[id];
  });
  list.search = h("input", { type: "search", id: "search", placeholder: "Search names", autocomplete: "off", spellcheck: "false", "aria-label": "Search names and paths", oninput: () => {
    list.query = list.search.value;
    list.scroller.scrollTop = 0;
    updateList();
  } });
  return h("section", { id: "recordings", class: "recordings", "aria-labelledby": "list-title" },
    h("div", { class: "list-head" }, h("h2", { id: "list-title" }, "Recordings"), list.search, menu),
    h("div", { class: "list-tools" }, h("div", { class: "filters", role: "group", "aria-label": "Filter" }, filters), order), list.found, list.scroller);
}

/** Measure the height of a row, which depends on the width of the page. */
function measureRows() {
  const height = list.body.querySelector("tr:not(.spacer)")?.offsetHeight;
  if (height && height !== list.rowHeight) {
    list.rowHeight = height;
    list.first = -1;
  }
  showRows();
}
