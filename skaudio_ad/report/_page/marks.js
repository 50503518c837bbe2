// Marks of the listener, kept in the browser and exchanged as CSV.

const MARKS = {
  confirmed: { icon: "\u2713", word: "confirmed", key: "c" },
  "false alarm": { icon: "\u2717", word: "false alarm", key: "f" },
  unsure: { icon: "?", word: "unsure", key: "u" },
};
const COLUMNS = ["path", "mark", "score", "p_value", "decision", "note"];
const marks = new Map();
const nothing = { mark: null, note: "" };
const markOf = (clip) => marks.get(clip.id) || nothing;

/** Read the marks of the report, and newer ones of this browser. */
function loadMarks() {
  let stored = {};
  try {
    stored = JSON.parse(memory.read(`marks:${data.key}`)) || {};
  } catch {
    stored = {}; // another program has changed the entry
  }
  for (const clip of data.clips) {
    const own = Object.hasOwn(stored, clip.id) ? stored[clip.id] : null;
    // A mark of the report wins if the report has been made again with another mark.
    if (own && own.given === (clip.mark || null)) setMark(clip, { mark: own.mark, note: own.note }, false);
    else if (clip.mark) setMark(clip, { mark: clip.mark }, false);
  }
}

function setMark(clip, change, save = true) {
  const next = { ...markOf(clip), ...change };
  const mark = Object.hasOwn(MARKS, next.mark || "") ? next.mark : null;
  marks.set(clip.id, { mark, note: String(next.note || "") });
  if (save) saveMarks();
}

function saveMarks() {
  const stored = {};
  for (const clip of data.clips) {
    const own = marks.get(clip.id);
    if (own && (own.mark || own.note || clip.mark)) stored[clip.id] = { ...own, given: clip.mark || null };
  }
  return memory.write(`marks:${data.key}`, JSON.stringify(stored));
}

const quoted = (text) => `"${String(text).replace(/"/g, '""')}"`;
// A spreadsheet must not read a text as a formula: an apostrophe marks the text. The reader removes one apostrophe.
const guarded = (text) => (/^['=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text);
const number = (value) => (given(value) ? String(value) : "");

/** Return the table of all marked clips as CSV. */
function marksTable() {
  const rows = data.clips.filter((clip) => markOf(clip).mark || markOf(clip).note).map((clip) => {
    const { mark, note } = markOf(clip);
    return [quoted(clip.csv_path), quoted(mark || ""), number(clip.score), number(clip.p_value), quoted(clip.decision), quoted(guarded(note))].join(",");
  });
  return [COLUMNS.map(quoted).join(","), ...rows, ""].join("\r\n");
}

/** Split CSV into rows of cells (RFC 4180). */
function parseCsv(text) {
  const rows = [];
  let [row, cell, inside, wasQuoted] = [[], "", false, false];
  const endRow = () => {
    if (row.length || cell || wasQuoted) rows.push([...row, cell]);
    [row, cell, wasQuoted] = [[], "", false];
  };
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (inside) {
      if (char !== '"') cell += char;
      else if (text[i + 1] === '"') cell += text[++i];
      else inside = false;
    } else if (char === '"' && cell === "") inside = wasQuoted = true;
    else if (char === ",") {
      row.push(cell);
      [cell, wasQuoted] = ["", false];
    } else if (char === "\n" || char === "\r") {
      if (char === "\r" && text[i + 1] === "\n") i++;
      endRow();
    } else cell += char;
  }
  if (inside) throw new Error("The table ends inside quotes: the file is not complete.");
  endRow();
  return rows;
}

/** Take over the marks of a table. Return a sentence that says what was done. Nothing changes if the table has an error. */
function importMarks(text) {
  const [header, ...rows] = parseCsv(text.replace(/^\ufeff/, ""));
  if (!header) throw new Error("The table is empty: choose a table that this page has exported.");
  const [pathColumn, markColumn, noteColumn] = ["path", "mark", "note"].map((name) => header.indexOf(name));
  if (pathColumn < 0 || markColumn < 0) {
    throw new Error(`The table needs the columns path and mark, but its columns are ${header.join(", ")}.`);
  }
  const clips = new Map(data.clips.map((clip) => [clip.csv_path, clip]));
  const changes = [];
  const unknown = [];
  rows.forEach((row, i) => {
    const mark = (row[markColumn] || "").trim();
    if (mark && !Object.hasOwn(MARKS, mark)) {
      throw new Error(`Row ${i + 2} of the table has the mark "${mark}": use ${Object.keys(MARKS).join(", ")}, or no mark.`);
    }
    const clip = clips.get(row[pathColumn]);
    if (clip) changes.push([clip, { mark: mark || null, ...(noteColumn < 0 ? {} : { note: (row[noteColumn] || "").replace(/^'/, "") }) }]);
    else unknown.push(row[pathColumn]);
  });
  for (const [clip, change] of changes) setMark(clip, change, false);
  saveMarks();
  const first = unknown.slice(0, 3).join(", ") + (unknown.length > 3 ? ", ..." : "");
  return `Marks of ${plural(changes.length, "recording")} were read.`
    + (unknown.length ? ` ${plural(unknown.length, "row")} of the table ${unknown.length === 1 ? "is" : "are"} about recordings that are not in this report: ${first}` : "");
}
