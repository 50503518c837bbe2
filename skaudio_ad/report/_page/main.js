// The page as a whole: keyboard, messages, start.

const SHORTCUTS = [
  ["j, \u2193 or \u2192", "next recording"],
  ["k, \u2191 or \u2190", "previous recording"],
  ["space", "play or pause"],
  ["b", "play the normal recording or pause"],
  ["c", "mark as confirmed"],
  ["f", "mark as false alarm"],
  ["u", "mark as unsure"],
  ["n", "next nearest normal"],
  ["m", "show or hide where the sound is wrong"],
  ["/", "search"],
  ["?", "this help"],
];
let shortcutsOn = memory.read("shortcuts") !== "off";
let lastIndex = 0;
const live = h("p", { class: "unseen", "aria-live": "polite" });
const toast = h("p", { class: "toast", role: "status", hidden: true });
let toastTimer = 0;

/** Tell a screen reader a sentence, and show the sentence if it is not already seen on the page. */
function announce(text, isShown = true) {
  if (!isShown) {
    live.textContent = visible(text);
    return;
  }
  toast.textContent = visible(text);
  toast.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (toast.hidden = true), 8000);
}

function select(clip, { fromList = false, focus = false } = {}) {
  if (!clip) return;
  const changed = clip !== selected;
  selected = clip;
  lastIndex = Math.max(0, list.rows.indexOf(clip));
  revealSelected(focus || fromList);
  if (changed) {
    showClip(clip);
    const box = summaryHistogram && summaryHistogram.querySelector(".chart");
    if (box && box.drawnWidth) drawChart(box);
    announce(`Recording ${lastIndex + 1} of ${list.rows.length}: ${clip.name}, ${DECISIONS[clip.decision].word}${given(clip.score) ? `, score ${showScore(clip.score)}` : ""}`, false);
    try {
      history.replaceState(null, "", `#${clip.id}`);
    } catch {
      // Some browsers refuse this for pages of a disk. The page then begins with the first clip.
    }
  }
  if (fromList && matchMedia("(max-width: 60rem)").matches) {
    document.getElementById("clip").scrollIntoView();
    document.getElementById("clip-name").focus({ preventScroll: true });
  }
}

function move(step, focus = false) {
  const index = list.rows.indexOf(selected);
  // A clip that has left the list, for instance because it was marked, leaves its place to the next one.
  const target = index < 0 ? lastIndex + Math.min(0, step) : index + step;
  select(list.rows[Math.min(list.rows.length - 1, Math.max(0, target))], { focus });
}

function onKey(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const isText = target.matches("input:not([type=checkbox]), select, textarea");
  if (key === "Escape" && target === list.search) {
    list.search.value = list.query = "";
    updateList();
    list.body.querySelector("button[tabindex='0']")?.focus();
    return;
  }
  if (target === list.search && key === "Enter") {
    select(list.rows[0], { focus: true });
    return;
  }
  if (isText) return;
  const inList = list.scroller.contains(target);
  const actions = {
    ArrowDown: inList ? () => move(1, true) : null,
    ArrowUp: inList ? () => move(-1, true) : null,
    ArrowRight: () => move(1, inList),
    ArrowLeft: () => move(-1, inList),
    Home: inList ? () => select(list.rows[0], { focus: true }) : null,
    End: inList ? () => select(list.rows.at(-1), { focus: true }) : null,
    // The space bar presses a button that has the focus, except in the list, where the row is selected already.
    " ": !target.closest("button, summary, a, input") || target.matches(".open") ? () => (target === view.other.slider ? view.other : view.own).toggle() : null,
    ...(shortcutsOn ? {
      j: () => move(1, inList),
      k: () => move(-1, inList),
      b: () => view.other.toggle(),
      c: () => toggleMark("confirmed"),
      f: () => toggleMark("false alarm"),
      u: () => toggleMark("unsure"),
      n: () => showNearest(view.at + 1),
      m: () => view.overlayLabel.hidden || view.overlaySwitch.click(),
      "/": () => list.search.focus(),
      "?": () => help.showModal(),
    } : {}),
  };
  const action = Object.hasOwn(actions, key) ? actions[key] : null;
  if (!action || !data.clips.length) return;
  event.preventDefault();
  action();
}

async function runExport(kind, clips) {
  try {
    announce(await exportMoments(kind, clips, (n) => n % 100 === 99 && announce(`${n} of ${clips.length} recordings are read ...`)));
  } catch (error) {
    announce(`The moments were not saved: ${error.message}`);
  }
}

function buildMenu() {
  const file = h("input", { type: "file", accept: ".csv,text/csv", hidden: true, "aria-label": "Table of marks", onchange: async () => {
    if (!file.files.length) return;
    try {
      announce(importMarks(await file.files[0].text()));
    } catch (error) {
      announce(`No marks were read. ${error.message}`);
    }
    file.value = "";
    updateList();
    updateSummary();
    if (selected) view.marking.update();
  } });
  const item = (text, action) => h("button", { type: "button", onclick: () => {
    menu.open = false;
    menu.querySelector("summary").focus();
    action();
  } }, text);
  const menu = h("details", { class: "menu" }, h("summary", {}, "Save"), h("div", { class: "menu-items" },
    item("Save the marks (CSV)", () => {
      download("marks.csv", marksTable(), "text/csv");
      announce(`The marks of ${plural(data.clips.filter((clip) => markOf(clip).mark || markOf(clip).note).length, "recording")} were saved.`);
    }),
    item("Read marks (CSV)", () => file.click()),
    item("Moments of all recordings for Audacity", () => runExport("audacity", data.clips)),
    item("Moments of all recordings for Raven", () => runExport("raven", data.clips)), file));
  document.addEventListener("click", (event) => menu.contains(event.target) || (menu.open = false));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  return menu;
}

function buildHelp() {
  const box = h("input", { type: "checkbox", onchange: () => {
    shortcutsOn = box.checked;
    memory.write("shortcuts", shortcutsOn ? "on" : "off");
  } });
  box.checked = shortcutsOn;
  return h("dialog", { "aria-labelledby": "help-title" }, h("h2", { id: "help-title" }, "Keyboard"),
    h("table", {}, h("thead", { class: "unseen" }, h("tr", {}, h("th", { scope: "col" }, "Key"), h("th", { scope: "col" }, "Action"))),
      h("tbody", {}, SHORTCUTS.map(([keys, action]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, keys)), h("td", {}, action))))),
    h("p", {}, "Click a spectrogram to play from there. With the focus on a spectrogram, the arrow keys move the position and Enter plays."),
    h("p", {}, h("label", { class: "switch" }, box, " Keys of one letter are on")),
    h("button", { type: "button", onclick: () => help.close() }, "Close"));
}

const help = buildHelp();

function start() {
  document.title = visible(data.title);
  loadMarks();
  document.getElementById("report").append(
    h("a", { class: "skip", href: "#recordings" }, "Skip to the recordings"),
    h("a", { class: "skip", href: "#clip" }, "Skip to the selected recording"),
    h("header", {}, h("div", {}, h("h1", {}, data.title), h("p", { class: "created" }, data.created)),
      h("div", { class: "header-tools" }, themeSwitch(), h("button", { type: "button", "aria-keyshortcuts": "?", onclick: () => help.showModal() }, "Keyboard help"))),
    h("main", {}, summarySection(), h("div", { class: "work" }, listSection(buildMenu()), buildClip())),
    live, toast, help);
  const wanted = location.hash.slice(1);
  updateList();
  measureRows();
  updateSummary();
  addEventListener("resize", measureRows);
  document.addEventListener("keydown", onKey);
  addEventListener("beforeprint", () => {
    list.all = true;
    list.first = -1;
    showRows();
  });
  addEventListener("afterprint", () => {
    list.all = false;
    list.first = -1;
    showRows();
  });
  if (data.clips.length) select(data.clips.find((clip) => clip.id === wanted) || data.clips[0]);
  else document.getElementById("clip").hidden = true;
}

start();
