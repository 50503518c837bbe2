// Panels below the spectrograms of a clip.

function momentsPanel(clip, moments) {
  if (!moments.length) return null; // a note below the curve says so
  const bands = moments.some(hasBand);
  const { sound } = view.own;
  const rows = moments.map((moment) => {
    const inside = sound && moment.start >= sound.start - 0.01 && moment.start < sound.start + sound.duration;
    const text = `${showTime(moment.start, 2)} to ${showTime(moment.end, 2)}`;
    return h("tr", {},
      h("td", {}, inside
        ? h("button", { type: "button", class: "jump", "aria-label": `Play from ${text}`, onclick: () => view.own.play(moment.start) }, h("span", { "aria-hidden": "true", class: "icon" }, "\u25b6"), text)
        : [text, h("small", {}, sound ? " outside the excerpt" : "")]),
      h("td", { class: "number" }, showScore(moment.score)),
      bands ? h("td", { class: "number" }, hasBand(moment) ? `${showHertz(moment.low_hz)} to ${showHertz(moment.high_hz)}` : "\u2013") : null);
  });
  return section(moments.length === 1 ? "1 moment" : `${moments.length} moments`,
    h("div", { class: "scroll-x" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Time"), h("th", { scope: "col", class: "number" }, "Score"), bands ? h("th", { scope: "col", class: "number" }, "Frequencies") : null)), h("tbody", {}, rows))),
    h("div", { class: "buttons" },
      h("button", { type: "button", onclick: () => runExport("audacity", [clip]) }, "Save for Audacity"),
      h("button", { type: "button", onclick: () => runExport("raven", [clip]) }, "Save for Raven")));
}

/** Draw one value beside the range of the normals. */
function rangePicture({ value, low, median, high }, outside) {
  const all = [value, low, median, high].filter(given);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const room = (most - least || 1) * 0.1;
  const x = (each) => 4 + ((each - least + room) / (most - least + 2 * room)) * 112;
  const picture = s("svg", { width: 120, height: 18, viewBox: "0 0 120 18", "aria-hidden": "true", focusable: "false", class: "range-picture" }, line(0, 9, 120, 9, "grid"));
  if (given(low) && given(high)) picture.append(s("rect", { x: x(low), y: 4, width: Math.max(2, x(high) - x(low)), height: 10, rx: 2, class: "range" }));
  if (given(median)) picture.append(line(x(median), 3, x(median), 15, "median-tick"));
  if (given(value)) picture.append(s("circle", { cx: x(value), cy: 9, r: 4, class: outside ? "own-out" : "own" }));
  return picture;
}

function wordsPanel(words) {
  if (!words.qualities.length) return null;
  const rows = words.qualities.map((quality) => {
    // The table gives the figures, so the words of the text are enough.
    const text = (quality.text || "\u2013").replace(/ (than|as) its .*$/, "");
    const outside = given(quality.value) && (quality.value < quality.low || quality.value > quality.high) && !text.startsWith("about");
    return h("tr", { class: outside ? "outside" : null },
      h("th", { scope: "row" }, quality.name),
      h("td", { class: "number" }, significant(quality.value, 3), quality.unit ? h("span", { class: "unit" }, ` ${quality.unit}`) : null),
      h("td", {}, rangePicture(quality, outside)),
      h("td", { class: "number range-text" }, `${significant(quality.low, 3)} to ${significant(quality.high, 3)}`),
      h("td", { class: "text" }, text));
  });
  return h("section", { class: "panel wide" }, h("h3", {}, "How it sounds beside its nearest normals"),
    h("div", { class: "scroll-x" }, h("table", { class: "qualities" }, h("thead", {}, h("tr", {},
      ["Quality", "Value", "", "Normals", "In words"].map((title, i) => h("th", { scope: "col", class: [null, "number", null, "number", "text"][i] }, title || h("span", { class: "unseen" }, "Picture"))))), h("tbody", {}, rows))),
    note(words.note));
}

/** Say what the page cannot show of a clip, and why. */
function missingPanel({ local, words, tags, nearest }) {
  const reasons = [
    local.times.length ? "" : local.note || "The detector gives no local scores.",
    words.qualities.length ? "" : words.note,
    tags.clip.length || tags.normal.length ? "" : tags.note,
    nearest.clips.length ? "" : nearest.note || "There is no nearest normal to show.",
  ].filter((reason) => reason && !(summary.notes || []).includes(reason)); // the summary says what no clip can show
  return reasons.length ? section("Not shown", h("ul", { class: "reasons" }, reasons.map((reason) => h("li", {}, reason)))) : null;
}

function bandsPanel(bands) {
  return bands ? section("Level per band", bandChart(bands)) : null;
}

function decisionPanel(clip) {
  const { threshold } = summary;
  const parts = [];
  if (given(threshold) && given(clip.margin)) {
    const side = clip.margin < 0 ? "below" : "above";
    parts.push(h("p", {}, `The score ${showScore(clip.score)} is ${showMargin(Math.abs(clip.margin))} ${side} the threshold ${showScore(threshold)}, so the recording is ${DECISIONS[clip.decision].word}.`));
  }
  parts.push(given(clip.p_value)
    ? h("p", {}, `p-value ${showP(clip.p_value)}: the expected share of normal recordings that score this low or lower.`)
    : h("p", { class: "note" }, "The detector gives no p-value."));
  if (clip.label === 1 || clip.label === -1) {
    const agrees = (clip.label === 1) === (clip.decision === "normal");
    parts.push(h("p", {}, `The label is ${labelWord(clip.label)}: the decision is ${agrees ? "right" : clip.label === 1 ? "a false alarm" : "a miss"}.`));
  }
  const hasScores = summary.histogram && summary.histogram.edges.length > 1;
  return section("Decision", parts, hasScores ? histogramChart(summary.histogram, threshold, { height: 150, score: () => clip.score, hasKeys: false }) : null);
}

function tagsPanel(tags) {
  if (!tags.clip.length && !tags.normal.length) return null;
  const values = new Map();
  for (const [column, pairs] of [[0, tags.clip], [1, tags.normal]]) {
    for (const [name, value] of pairs) {
      if (!values.has(name)) values.set(name, [null, null]);
      values.get(name)[column] = value;
    }
  }
  const bar = (value, kind) => (given(value)
    ? [h("span", { class: "tag-value" }, decimals(value, 2)), h("span", { class: "tag-track", "aria-hidden": "true" }, h("span", { class: `tag-bar tag-${kind}`, style: { width: `${100 * Math.min(1, Math.max(0, value))}%` } }))]
    : [h("span", { class: "tag-value" }, "\u2013")]);
  const rows = [...values].map(([name, [own, normal]]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "tag" }, bar(own, "own")), h("td", { class: "tag" }, bar(normal, "normal"))));
  return section("AudioSet classes",
    h("div", { class: "scroll-x" }, h("table", { class: "tags" }, h("thead", {}, h("tr", {}, ["Class", "This clip", "Normals"].map((title) => h("th", { scope: "col" }, title)))), h("tbody", {}, rows))), note(tags.note));
}
