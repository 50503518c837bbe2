// Charts of the report: distribution of the scores, ROC curve, levels per band, local scores.

const GROUPS = [
  ["normal", "normal"],
  ["anomalous", "anomalous"],
  ["unlabelled", "no label"],
];

/** Make the histogram of scores with the threshold, and a mark at the score of one clip. */
function histogramChart(histogram, threshold, { height = 210, score = () => null, hasKeys = true } = {}) {
  const { edges, calibration } = histogram;
  const groups = GROUPS.filter(([name]) => (histogram[name] || []).some((n) => n > 0));
  const totals = edges.slice(1).map((_, i) => groups.reduce((sum, [name]) => sum + histogram[name][i], 0));
  const shown = edges.concat(given(threshold) ? [threshold] : []);
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  // The calibration clips are scaled to the area of the bars, because their number differs.
  const area = calibration ? totals.reduce((a, b) => a + b, 0) / (calibration.reduce((a, b) => a + b, 0) || 1) : 0;
  const outline = calibration ? calibration.map((n) => n * area) : [];
  const top = Math.max(1, ...totals, ...outline);
  const sums = groups.map(([name, word]) => plural(histogram[name].reduce((a, b) => a + b, 0), `${word} clip`));
  const text = `Histogram of the scores: ${sums.join(", ") || "no clip"}, from ${showScore(low)} to ${showScore(high)}. `
    + (given(threshold) ? `The threshold is ${showScore(threshold)}.` : "There is no threshold.");
  const box = chart(text, height, (picture, width) => {
    const [left, right, head, foot] = [38, width - 20, 20, height - 40];
    const y = leftAxis(picture, 0, top, left, right, head, foot, roundTicks(0, top, 3).filter(Number.isInteger));
    const x = bottomAxis(picture, low, high, left, right, foot, "score (higher is more normal)");
    const id = `stripes-${Math.random().toString(36).slice(2)}`;
    picture.append(s("defs", {}, s("pattern", { id, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      s("rect", { width: 5, height: 5, class: "fill-anomalous" }), s("rect", { width: 1.6, height: 5, class: "fill-paper" }))));
    edges.slice(1).forEach((edge, i) => {
      let below = 0;
      for (const [name] of groups) {
        const n = histogram[name][i];
        if (!n) continue;
        const bar = { x: x(edges[i]) + 0.5, width: Math.max(1, x(edge) - x(edges[i]) - 1), y: y(below + n), height: y(below) - y(below + n) };
        picture.append(s("rect", { ...bar, class: `fill-${name}`, ...(name === "anomalous" ? { fill: `url(#${id})`, class: "stripes" } : {}) }));
        below += n;
      }
    });
    if (outline.length) {
      const xs = edges.flatMap((edge, i) => (i && i < edges.length - 1 ? [edge, edge] : [edge]));
      const ys = outline.flatMap((n) => [n, n]);
      picture.append(s("polyline", { points: points(xs.map(x), ys.map(y)), class: "curve-median" }));
    }
    if (given(threshold)) {
      const at = x(threshold);
      const side = at > width / 2 ? "end" : "start";
      picture.append(line(at, head - 8, at, foot, "threshold"), label(at + (side === "end" ? -5 : 5), head - 8, side, `threshold ${showScore(threshold)}`, "chart-text"));
    }
    const own = score();
    if (given(own)) {
      const at = Math.min(right, Math.max(left, x(own)));
      picture.append(s("path", { d: `M${at - 6},${foot - 11}h12l-6,10z`, class: "own" }));
    }
  });
  if (!hasKeys) return box;
  const keys = groups.map(([name, word]) => h("span", { class: "key" }, h("span", { class: `swatch swatch-${name}` }), word));
  if (calibration) keys.push(h("span", { class: "key" }, h("span", { class: "swatch swatch-outline" }), "clips of the calibration, scaled"));
  return h("div", {}, box, h("p", { class: "keys" }, keys, h("span", { class: "key" }, "\u25bc", " the selected clip")));
}

/** Make the ROC curve with the point of the threshold. */
function rocChart({ fpr, tpr, at }, height = 210) {
  const text = "ROC curve: share of the anomalous clips that are found, against the share of the normal clips that raise an alarm."
    + (at ? ` At the threshold ${showPercent(at[1])} are found and ${showPercent(at[0])} raise an alarm.` : "");
  return chart(text, height, (picture, width) => {
    const [left, top, foot] = [50, 12, height - 40];
    const right = Math.min(width - 12, left + (foot - top) * 1.3);
    const y = leftAxis(picture, 0, 1, left, right, top, foot, [0, 0.5, 1]);
    const x = bottomAxis(picture, 0, 1, left, right, foot, "false-alarm rate", [0, 0.5, 1]);
    picture.append(line(x(0), y(0), x(1), y(1), "grid"), s("polyline", { points: points(fpr.map(x), tpr.map(y)), class: "curve-clip" }));
    if (at) {
      picture.append(s("circle", { cx: x(at[0]), cy: y(at[1]), r: 5, class: "own" }));
      picture.append(label(x(at[0]) + 9, y(at[1]) + (at[1] < 0.2 ? -8 : 16), "start", "threshold", "chart-text"));
    }
    picture.append(s("text", { transform: `translate(10 ${(top + foot) / 2}) rotate(-90)`, "text-anchor": "middle", class: "axis-title" }, "detection rate"));
  });
}

/** Make the chart of the levels of a clip per band, beside its nearest normals. */
function bandChart(bands) {
  const names = ["centers_hz", "clip_db", "low_db", "median_db", "high_db"];
  const known = bands.centers_hz.map((_, i) => i).filter((i) => names.every((name) => given(bands[name][i])));
  if (!known.length) return note("The levels of the bands are not known.");
  const [hertz, clip, low, median, high] = names.map((name) => known.map((i) => bands[name][i]));
  const all = [...clip, ...low, ...high];
  const [bottom, top] = [Math.floor(Math.min(...all) / 5) * 5, Math.ceil(Math.max(...all) / 5) * 5 || 5];
  const text = `Level per band from ${showHertz(hertz[0])} to ${showHertz(hertz.at(-1))}, for this clip and its nearest normals.`;
  const box = chart(text, 220, (picture, width, height) => {
    const [left, right, head, foot] = [46, width - 14, 10, height - 40];
    const y = leftAxis(picture, bottom, top, left, right, head, foot);
    const [first, last] = [Math.log10(Math.max(1, hertz[0])), Math.log10(hertz.at(-1))];
    const x = (value) => left + ((Math.log10(Math.max(1, value)) - first) / (last - first || 1)) * (right - left);
    let previous = -100;
    for (const tick of [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000]) {
      if (tick < hertz[0] * 0.99 || tick > hertz.at(-1) * 1.01 || x(tick) - previous < 48) continue;
      previous = x(tick);
      picture.append(line(x(tick), foot, x(tick), foot + 4, "axis"), label(x(tick), foot + 16, "middle", tick < 1000 ? `${tick}` : `${tick / 1000}k`));
    }
    picture.append(line(left, foot, right, foot, "axis"), label((left + right) / 2, foot + 32, "middle", "frequency (Hz)", "axis-title"));
    const xs = hertz.map(x);
    picture.append(s("polygon", { points: `${points(xs, high.map(y))} ${points(xs.slice().reverse(), low.slice().reverse().map(y))}`, class: "range" }));
    picture.append(s("polyline", { points: points(xs, median.map(y)), class: "curve-median" }), s("polyline", { points: points(xs, clip.map(y)), class: "curve-clip" }));
    picture.append(s("text", { transform: `translate(11 ${(head + foot) / 2}) rotate(-90)`, "text-anchor": "middle", class: "axis-title" }, "level (dB)"));
  });
  return h("div", {}, box, h("p", { class: "keys" },
    h("span", { class: "key" }, h("span", { class: "swatch swatch-clip" }), "this clip"),
    h("span", { class: "key" }, h("span", { class: "swatch swatch-outline" }), "median of the normals"),
    h("span", { class: "key" }, h("span", { class: "swatch swatch-range" }), "lowest to highest normal")));
}

/** Make the curve of local scores on the time axis from start to end. */
function scoreCurve({ times, scores, threshold }, start, end, { height = 90, label: text, extra } = {}) {
  const inside = times.map((time, i) => [time, scores[i]]).filter(([time, score]) => given(score) && time >= start - 1e-9 && time <= end + 1e-9);
  const values = inside.map((pair) => pair[1]).concat(given(threshold) ? [threshold] : []);
  // The function Math.min takes fewer arguments than a long recording has scores.
  const [least, most] = values.length ? [values.reduce((a, c) => Math.min(a, c)), values.reduce((a, c) => Math.max(a, c))] : [0, 1];
  const room = (most - least || Math.abs(most) || 1) * 0.12;
  return chart(text, height, (picture, width) => {
    const x = (time) => ((time - start) / (end - start || 1)) * width;
    const y = (value) => height - 4 - ((value - least + room) / (most - least + 2 * room)) * (height - 8);
    const ticks = roundTicks(least, most, Math.max(3, height / 30));
    for (const tick of ticks) {
      picture.append(line(0, y(tick), width, y(tick), "grid"), label(-6, y(tick) + 4, "end", tickText(tick, ticks)));
    }
    if (extra) extra(picture, x, height);
    if (given(threshold)) picture.append(line(0, y(threshold), width, y(threshold), "threshold"));
    const drawn = thinned(inside, width);
    picture.append(s("polyline", { points: points(drawn.map((pair) => x(pair[0])), drawn.map((pair) => y(pair[1]))), class: "curve-clip" }));
    if (given(threshold) && height > 80) picture.append(label(width - 4, y(threshold) - 4 < 12 ? y(threshold) + 13 : y(threshold) - 4, "end", "threshold", "chart-text halo"));
    if (inside.length === 1) picture.append(s("circle", { cx: x(inside[0][0]), cy: y(inside[0][1]), r: 3, class: "own" }));
  }, "score-curve");
}
