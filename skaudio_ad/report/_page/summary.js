// The summary: counts, threshold and promise, checks, distribution of the scores.

const summary = data.summary;
const tiles = {};
let summaryHistogram = null;

function tile(name, value, icon = "") {
  tiles[name] = h("dd", {}, count(value));
  return h("div", { class: `tile tile-${name.replace(/\W/g, "-")}` }, h("dt", {}, icon ? h("span", { "aria-hidden": "true", class: "icon" }, icon) : null, name), tiles[name]);
}

function fact(name, ...content) {
  return h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, content));
}

function promiseTexts() {
  const { promise } = summary;
  if (!promise) return ["The detector promises no false-alarm rate."];
  const rate = given(promise.rate) ? h("strong", {}, `${showPercent(promise.rate)} false alarms`) : h("strong", {}, "no rate");
  return [rate, `, ${promise.kind || "not promised"}. `, promise.reason];
}

function summarySection() {
  const { counts } = summary;
  const facts = [
    fact("Threshold", given(summary.threshold)
      ? [h("strong", {}, showScore(summary.threshold)), ". A recording with a lower score is anomalous."]
      : "The detector has no threshold, so the scores are only compared with each other."),
    fact("False alarms", promiseTexts()),
  ];
  if (summary.shift) {
    facts.push(fact("Shift check", h("span", { "aria-hidden": "true" }, summary.shift.shifted ? "\u26a0 " : "\u2713 "), h(summary.shift.shifted ? "strong" : "span", {}, summary.shift.text)));
  }
  if (summary.auc) facts.push(fact("Ranking", summary.auc.text));
  const hasScores = summary.histogram && summary.histogram.edges.length > 1;
  const pictures = [];
  if (hasScores) {
    summaryHistogram = histogramChart(summary.histogram, summary.threshold, { score: () => (selected ? selected.score : null) });
    pictures.push(h("figure", { class: "panel" }, h("figcaption", {}, "Scores of the recordings"), summaryHistogram));
  }
  if (summary.roc) pictures.push(h("figure", { class: "panel" }, h("figcaption", {}, "ROC curve"), rocChart(summary.roc)));
  const versions = Object.entries(summary.versions || {});
  return h("section", { class: "summary", "aria-labelledby": "summary-title" },
    h("h2", { id: "summary-title", class: "unseen" }, "Summary"),
    h("dl", { class: "tiles" }, tile("recordings", counts.recordings), tile("anomalous", counts.anomalous, DECISIONS.anomalous.icon),
      tile("normal", counts.normal, DECISIONS.normal.icon), tile("not read", counts.errors, DECISIONS.error.icon), tile("marked", 0, "\u2713")),
    h("div", { class: `summary-body parts-${pictures.length + 1}` },
      h("div", { class: "panel" }, h("dl", { class: "summary-facts" }, facts), (summary.lines || []).map((text) => h("p", {}, text))),
      pictures),
    (summary.notes || []).length
      ? h("div", { class: "notes" }, h("h3", {}, "What this page cannot show"), h("ul", {}, summary.notes.map((note) => h("li", {}, note))))
      : null,
    h("details", { class: "about" }, h("summary", {}, "Detector and versions"),
      h("pre", { tabindex: "0", "aria-label": "Detector" }, (summary.detector || "").split("\n").flatMap((text) => [text, h("br")])),
      versions.length ? h("p", {}, versions.map(([name, version]) => `${name} ${version}`).join(" \u00b7 ")) : null));
}

function updateSummary() {
  tiles.marked.textContent = count(data.clips.filter((clip) => markOf(clip).mark).length);
}
