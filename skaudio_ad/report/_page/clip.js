// The selected clip in detail, beside its nearest normal.

const view = { nearest: [], at: 0, token: 0 };

const section = (title, ...content) => h("section", { class: "panel" }, h("h3", {}, title), content);
const note = (text) => (text ? h("p", { class: "note" }, text) : null);

function buildClip() {
  view.own = new Player("this recording", (player) => stopOthers(player));
  view.other = new Player("the nearest normal", (player) => stopOthers(player));
  view.head = h("div", { class: "clip-head" });
  view.facts = h("dl", { class: "facts" });
  view.sentence = h("p", { class: "sentence" });
  view.problem = h("p", { class: "warning", hidden: true });
  view.marking = markingGroup();
  view.figures = h("div", { class: "pair" });
  view.panels = h("div", { class: "panels" });
  view.overlaySwitch = h("input", { type: "checkbox", onchange: (event) => {
    settings.overlay = event.target.checked;
    for (const map of view.figures.querySelectorAll(".map")) map.hidden = !settings.overlay;
  } });
  view.overlaySwitch.checked = settings.overlay;
  view.overlayLabel = h("label", { class: "switch" }, view.overlaySwitch, " Mark where the sound is wrong");
  const levels = h("input", { type: "checkbox", onchange: (event) => {
    settings.originalLevels = event.target.checked;
    view.own.setVolume();
    view.other.setVolume();
    updateLevels();
  } });
  view.levels = h("span", { class: "note" });
  view.switches = h("div", { class: "switches" }, view.overlayLabel, h("label", { class: "switch" }, levels, " Original levels"), view.levels);
  view.body = h("div", {}, view.sentence, view.switches, view.figures, view.panels);
  return h("section", { id: "clip", class: "clip", "aria-labelledby": "clip-name" }, view.head, view.facts, view.marking.element, view.problem, view.body);
}

function stopOthers(player) {
  for (const each of [view.own, view.other]) if (each !== player) each.stop();
}

function markingGroup() {
  const buttons = Object.entries(MARKS).map(([mark, { icon, word, key }]) => h("button", { type: "button", class: "marker", "data-mark": mark, "aria-keyshortcuts": key, onclick: () => toggleMark(mark) },
    h("span", { "aria-hidden": "true", class: "icon" }, icon), word, h("kbd", { "aria-hidden": "true" }, key)));
  const input = h("input", { type: "text", class: "note-input", placeholder: "Note", "aria-label": "Note about this recording", autocomplete: "off", onchange: () => {
    setMark(selected, { note: input.value });
    afterMark("The note was kept.");
  } });
  const element = h("div", { class: "marking", role: "group", "aria-label": "Mark this recording" }, buttons, input);
  return { element, update: () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(markOf(selected).mark === button.dataset.mark));
    input.value = markOf(selected).note;
  } };
}

function toggleMark(mark) {
  if (!selected) return;
  const next = markOf(selected).mark === mark ? null : mark;
  setMark(selected, { mark: next });
  afterMark(next ? `${selected.name} is marked as ${next}.` : `${selected.name} has no mark.`);
}

function afterMark(text) {
  updateList();
  updateSummary();
  view.marking.update();
  announce(memory.available ? text : `${text} The browser does not keep marks of this page: save the marks before you close the page.`, !memory.available);
}

const clipFact = (name, ...content) => h("div", {}, h("dt", {}, name), h("dd", {}, content));

function showHead(clip) {
  const index = list.rows.indexOf(clip);
  const position = index < 0 ? "not in the list shown" : `${count(index + 1)} of ${count(list.rows.length)}`;
  view.head.replaceChildren(
    h("div", { class: "clip-title" }, h("p", { class: "position" }, position), h("h2", { id: "clip-name", tabindex: "-1" }, clip.name), clip.path === clip.name ? "" : h("p", { class: "path" }, clip.path)),
    h("div", { class: "moves" },
      h("a", { href: "#recordings", class: "to-list" }, "Back to the list"),
      h("button", { type: "button", "aria-keyshortcuts": "k", onclick: () => move(-1) }, "\u2039 Previous"),
      h("button", { type: "button", "aria-keyshortcuts": "j", onclick: () => move(1) }, "Next \u203a")));
  const label = labelWord(clip.label);
  view.facts.replaceChildren(...[
    clipFact("Decision", decisionBadge(clip.decision)),
    given(clip.score) ? clipFact("Score", showScore(clip.score)) : null,
    given(summary.threshold) && given(clip.margin) ? clipFact("From the threshold", `${clip.margin > 0 ? "+" : ""}${showMargin(clip.margin)}`) : null,
    given(clip.p_value) ? clipFact("p-value", showP(clip.p_value)) : null,
    given(clip.worst) ? clipFact("Worst at", showTime(clip.worst)) : null,
    given(clip.duration) ? clipFact("Duration", showTime(clip.duration)) : null,
    label ? clipFact("Label", label) : null,
  ].filter(Boolean));
  view.marking.update();
}

/** Show a clip. The rest appears when the assets of the clip have been decoded. */
async function showClip(clip) {
  const token = ++view.token;
  view.own.clear();
  view.other.clear();
  showHead(clip);
  view.problem.hidden = clip.decision !== "error";
  view.problem.textContent = clip.decision === "error" ? visible(`This recording could not be scored: ${clip.error}`) : "";
  view.body.hidden = true;
  if (clip.decision === "error") return;
  const late = setTimeout(() => {
    view.problem.hidden = false;
    view.problem.textContent = "The page is still loading this recording ...";
  }, 300);
  try {
    const detail = await asset(`${clip.id}.json`);
    if (token !== view.token) return;
    view.problem.hidden = true;
    view.body.hidden = false;
    showDetail(clip, detail);
    await showNearest(0, token);
  } catch (error) {
    if (token !== view.token) return;
    view.problem.hidden = false;
    view.problem.textContent = visible(error.message);
  } finally {
    clearTimeout(late);
  }
}

function viewOf({ spectrogram, audio }, duration) {
  const span = spectrogram || (audio && audio.asset ? audio : null);
  return span ? { start: span.start, duration: span.duration } : { start: 0, duration: duration || 1 };
}

function figure(player, title, about, rows) {
  return h("figure", { class: "player" },
    h("figcaption", {}, h("span", { class: "figure-title" }, title), about),
    h("div", { class: "controls" }, player.button, player.clock, player.audio),
    h("div", { class: "plot" }, rows), player.message);
}

const levelNote = ({ low_db: low, high_db: high }) => `Colours from ${showDb(low)} (dark) to ${showDb(high)} (bright).`;

function showDetail(clip, detail) {
  const { audio, spectrogram, local, moments } = detail;
  view.detail = detail;
  view.nearest = detail.nearest.clips;
  const span = viewOf(detail, clip.duration);
  view.own.load(audio, span);
  view.own.peak = audio && audio.peak_db;
  const axis = showSpectrogram(view.own, spectrogram, moments);
  view.overlayLabel.hidden = !(spectrogram && spectrogram.map);
  const rows = [axis, view.own.slider];
  const hasLocal = local.times.length > 0;
  view.own.second = null;
  if (hasLocal) {
    const curve = scoreCurve(local, span.start, span.start + span.duration, { label: curveText(local, moments), extra: (picture, x, height) => shadeMoments(picture, x, height, moments) });
    view.own.second = h("div", { class: "cursor" });
    rows.push(h("span"), h("span", { class: "plot-title" }, "Local score"));
    const box = h("div", { class: "curve-box", onclick: (event) => view.own.onClick(event) }, curve, view.own.second);
    rows.push(h("span"), box);
  }
  rows.push(h("span"), timeAxis(span));
  const notes = [audio && audio.asset ? audio.note : "", spectrogram ? levelNote(spectrogram) : "", spectrogram ? spectrogram.map_note : "", hasLocal ? local.note : "", hasLocal && !moments.length ? clip.decision === "normal" ? "The recording is normal as a whole, so no moments are listed." : "No moment of this recording scores below the threshold." : ""];
  view.otherBox = h("div", { class: "other-box" });
  const hasOther = view.nearest.length > 0;
  view.figures.classList.toggle("single", !hasOther);
  view.figures.replaceChildren(
    h("div", { class: "figure-box" }, figure(view.own, "This recording", "", rows),
      wholeRecording(clip, span, local), h("div", { class: "figure-notes" }, notes.filter(Boolean).map(note))),
    view.otherBox);
  view.sentence.replaceChildren(detail.words.sentence ? visible(detail.words.sentence) : "");
  view.sentence.hidden = !detail.words.sentence;
  view.panels.replaceChildren(...[momentsPanel(clip, moments), decisionPanel(clip), wordsPanel(detail.words), bandsPanel(detail.bands), tagsPanel(detail.tags), missingPanel(detail)].filter(Boolean));
  view.own.update();
  updateLevels();
}

const curveText = ({ scores, threshold, times }, moments) => {
  const worst = scores.reduce((best, score, i) => (given(score) && (best < 0 || score < scores[best]) ? i : best), -1);
  return `Local scores over time. The lowest is ${showScore(scores[worst])} at ${showTime(times[worst])}. `
    + `${given(threshold) ? `The threshold is ${showScore(threshold)}. ` : ""}${plural(moments.length, "moment")} sound${moments.length === 1 ? "s" : ""} wrong.`;
};

function shadeMoments(picture, x, height, moments) {
  for (const { start, end } of moments) {
    picture.append(s("rect", { x: x(start), y: 0, width: Math.max(2, x(end) - x(start)), height, class: "moment-shade" }));
  }
}

/** Draw the scores of the whole recording where the sound is an excerpt. */
function wholeRecording(clip, span, local) {
  if (!given(clip.duration) || clip.duration <= span.duration + 0.5 || !local.times.length) return null;
  const curve = scoreCurve(local, 0, clip.duration, { height: 60, label: `Local scores of the whole recording of ${showTime(clip.duration)}.`, extra: (picture, x, height) => {
    picture.append(s("rect", { x: x(span.start), y: 0.5, width: Math.max(3, x(span.start + span.duration) - x(span.start)), height: height - 1, class: "excerpt" }));
  } });
  return h("div", { class: "plot whole" }, h("span"), h("span", { class: "plot-title" }, "Local score of the whole recording"), h("span"), curve, h("span"), timeAxis({ start: 0, duration: clip.duration }),
    h("span"), note(`The frame is the excerpt above: ${showTime(span.start)} to ${showTime(span.start + span.duration)}.`));
}

/** Show the nearest normal at a position of the list of neighbours. */
async function showNearest(at, token = view.token) {
  if (!view.nearest.length) return;
  view.at = (at + view.nearest.length) % view.nearest.length;
  const { id, distance } = view.nearest[view.at];
  const normal = data.normals[id] || { name: id, path: id };
  const wasPlaying = view.other.playing;
  const { at: shown } = view;
  let detail = { audio: null, spectrogram: null };
  let problem = "";
  try {
    detail = await asset(`${id}.json`);
  } catch (error) {
    problem = error.message;
  }
  if (token !== view.token || shown !== view.at) return;
  const span = viewOf(detail, normal.duration);
  view.other.load(detail.audio, span);
  view.other.peak = detail.audio && detail.audio.peak_db;
  if (problem) view.other.say(problem);
  const axis = showSpectrogram(view.other, detail.spectrogram);
  const choice = h("div", { class: "neighbours", role: "group", "aria-label": "Nearest normals" }, view.nearest.map((each, i) => h("button", {
    type: "button", "aria-pressed": String(i === view.at), title: (data.normals[each.id] || {}).path, onclick: () => showNearest(i).then(() => view.otherBox.querySelectorAll(".neighbours button")[i].focus()),
  }, `${i + 1}`, h("span", { class: "unseen" }, ` ${(data.normals[each.id] || { name: each.id }).name}`), h("small", {}, significant(each.distance, 3)))));
  view.otherBox.replaceChildren(
    figure(view.other, `Normal ${view.at + 1} of ${view.nearest.length}`, h("span", { class: "about-clip", title: normal.path }, normal.name), [axis, view.other.slider, h("span"), timeAxis(span)]),
    h("div", { class: "neighbour-row" }, h("span", {}, "Nearest by distance "), choice, h("kbd", { "aria-hidden": "true" }, "n")),
    h("div", { class: "figure-notes" }, [detail.audio && detail.audio.asset ? detail.audio.note : "", detail.spectrogram ? levelNote(detail.spectrogram) : "", view.detail.nearest.note].filter(Boolean).map(note)));
  view.other.name = `the normal recording ${visible(normal.name)}`;
  view.other.slider.setAttribute("aria-label", `Position in ${view.other.name}`);
  view.other.button.dataset.playing = "";
  view.other.update();
  updateLevels();
  if (wasPlaying) view.other.play();
}

function updateLevels() {
  const peaks = [view.own.peak, view.other.sound ? view.other.peak : null].filter(given);
  const loudest = given(summary.loudest_db) ? summary.loudest_db : Math.max(...peaks);
  for (const player of [view.own, view.other]) {
    player.loudest = loudest;
    player.setVolume();
  }
  if (!settings.originalLevels) view.levels.textContent = "All sounds play at one peak level.";
  else if (!peaks.length) view.levels.textContent = "The original levels are not known.";
  else view.levels.textContent = `Original peaks: ${[view.own, view.other].map((player, i) => (given(player.peak) && player.sound ? `${["this", "normal"][i]} ${decimals(player.peak, 1)}\u202fdB` : "")).filter(Boolean).join(", ")}.`;
}
