// Times, and the pictures of scores and p-values over time.

const two = (n) => String(n).padStart(2, "0");
const dayOf = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

/** Return a Unix time as the local time, with the date unless the date is today's. */
function localTime(seconds, hasSeconds = true) {
  const date = new Date(1000 * seconds);
  if (Number.isNaN(date.getTime())) return "\u2013";
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}${hasSeconds ? `:${two(date.getSeconds())}` : ""}`;
  return dayOf(date) === dayOf(new Date()) ? clock : `${dayOf(date)} ${clock}`;
}

/** Make an element that shows the local time and has UTC in its title. */
function timeElement(seconds) {
  const date = new Date(1000 * seconds);
  if (!given(seconds) || Number.isNaN(date.getTime())) return h("span", {}, "\u2013");
  const utc = date.toISOString();
  return h("time", { datetime: utc, title: `${utc.slice(0, 10)} ${utc.slice(11, 19)} UTC` }, localTime(seconds));
}

// Minimum number of seconds on the axis, so that the first windows do not fill the whole width.
const LEAST_SPAN = 300;

/** Return the first and the last time of the axis. */
function axisRange(windows, history) {
  const { end } = windows.at(-1);
  const span = Math.min(history, Math.max(LEAST_SPAN, end - windows[0].start));
  return [end - span, end];
}

/** Draw an axis of local times. Return the function from times to pixels. */
function timeScale(picture, [start, end], left, right, foot, hasTexts) {
  const place = (time) => left + ((time - start) / (end - start)) * (right - left);
  picture.append(line(left, foot, right, foot, "axis"));
  const steps = [30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
  const step = steps.find((each) => (place(start + each) - left) >= 64) || 604800;
  // Ticks stand at round local times, also where the time zone is not a whole number of hours away from UTC.
  const shift = 60 * new Date(1000 * end).getTimezoneOffset();
  for (let tick = Math.ceil((start - shift) / step) * step + shift; tick <= end; tick += step) {
    picture.append(line(place(tick), foot, place(tick), foot + 4, "axis"));
    const near = place(tick) > left + 16 && place(tick) < right - 14;
    const date = new Date(1000 * tick);
    if (hasTexts && near) picture.append(label(place(tick), foot + 17, "middle", `${two(date.getHours())}:${two(date.getMinutes())}${step < 60 ? `:${two(date.getSeconds())}` : ""}`));
  }
  return place;
}

/** Cut points where a window is missing or has no value. */
function stretches(windows, value, hop) {
  const found = [];
  let last = null;
  for (const window of windows) {
    const y = value(window);
    if (!given(y)) {
      last = null;
      continue;
    }
    if (last === null || window.start <= last.start || window.start - last.start > 1.5 * hop + 0.001) found.push([]);
    found.at(-1).push([(window.start + window.end) / 2, y]);
    last = window;
  }
  return found;
}

function drawCurve(picture, parts, x, y, width) {
  const n = parts.reduce((sum, part) => sum + part.length, 0) || 1;
  for (const part of parts) {
    const drawn = thinned(part, Math.max(1, (width * part.length) / n));
    if (drawn.length === 1) picture.append(s("circle", { cx: x(drawn[0][0]), cy: y(drawn[0][1]), r: 1.5, class: "dot" }));
    else picture.append(s("polyline", { points: points(drawn.map((pair) => x(pair[0])), drawn.map((pair) => y(pair[1]))), class: "curve-clip" }));
  }
}

function shadeEvents(picture, events, [start, end], x, top, foot) {
  for (const event of events) {
    const [from, to] = [Math.max(start, event.start), Math.min(end, event.end)];
    if (to <= from) continue;
    const width = Math.max(2, x(to) - x(from));
    picture.append(s("rect", { x: x(from), y: top, width, height: foot - top, class: "moment-shade" }));
    picture.append(s("path", { d: `M${x(from) + width / 2 - 5},${top - 2}h10l-5,-9z`, class: "fill-anomalous" }));
  }
}

/** Return the limits of the axis of scores. A score far below the alarm level must not flatten the normal scores. */
function scoreLimits(windows, raise) {
  const scores = windows.map((window) => window.score).filter(given).sort((a, b) => a - b);
  if (!scores.length) return given(raise) ? [raise - 1, raise + 1] : [0, 1];
  const most = Math.max(scores.at(-1), given(raise) ? raise : -Infinity);
  const normal = given(raise) ? scores.filter((score) => score >= raise) : [];
  const size = normal.length ? most - normal[0] || 1 : most - scores[0] || 1;
  const floor = given(raise) ? raise - 3 * Math.max(size, (most - raise) / 2) : -Infinity;
  const least = Math.min(Math.max(scores[0], floor), given(raise) ? raise : Infinity);
  const room = 0.06 * (most - least || 1);
  return [least - room, most + room];
}

/** Make the picture of the scores. The function `get` returns windows, events, facts, the length of the history, and whether there are p-values. */
function scoreTimeline(get) {
  return chart("Scores over time", 240, (picture, width, height) => {
    const { windows, events, facts, history, hasP } = get();
    const [left, right, top, foot] = [52, width - 8, 22, height - (hasP ? 8 : 24)];
    if (!windows.length) {
      picture.append(line(left, foot, right, foot, "axis"), label((left + right) / 2, (top + foot) / 2, "middle", "no window yet", "chart-text"));
      return;
    }
    const range = axisRange(windows, history);
    const shown = windows.filter((window) => window.end >= range[0]);
    const [low, high] = scoreLimits(shown, facts.raise_level);
    const x = timeScale(picture, range, left, right, foot, !hasP);
    shadeEvents(picture, events, range, x, top, foot);
    const scale = leftAxis(picture, low, high, left, right, top, foot, roundTicks(low, high, 5));
    const y = (value) => Math.min(foot - 5, scale(value));
    if (given(facts.clear_level) && facts.clear_level !== facts.raise_level) picture.append(line(left, y(facts.clear_level), right, y(facts.clear_level), "clear-level"));
    if (given(facts.raise_level)) picture.append(line(left, y(facts.raise_level), right, y(facts.raise_level), "threshold"));
    drawCurve(picture, stretches(shown, (window) => window.score, facts.hop), x, y, width);
    for (const window of shown) {
      if (!(given(window.score) && window.score < facts.raise_level)) continue;
      const at = x((window.start + window.end) / 2);
      if (window.score < low) picture.append(s("path", { d: `M${at - 4},${foot - 7}h8l-4,7z`, class: "fill-anomalous" }));
      else picture.append(s("circle", { cx: at, cy: y(window.score), r: 2.5, class: "fill-anomalous" }));
    }
    if (given(facts.raise_level)) {
      const at = y(facts.raise_level);
      picture.append(label(right - 4, at + 14 > foot - 2 ? at - 5 : at + 14, "end", "alarm level", "chart-text halo"));
    }
  });
}

/** Make the picture of the p-values, on a logarithmic axis. */
function pTimeline(get) {
  return chart("p-values over time", 104, (picture, width, height) => {
    const { windows, events, facts, history } = get();
    if (!windows.length) return;
    const [left, right, top, foot] = [52, width - 8, 6, height - 24];
    const range = axisRange(windows, history);
    const shown = windows.filter((window) => window.end >= range[0]);
    const x = timeScale(picture, range, left, right, foot, true);
    const values = shown.map((window) => window.p_value).filter((value) => value > 0);
    const least = Math.max(-6, Math.min(-2, Math.floor(Math.log10(values.reduce((a, b) => Math.min(a, b), 1)))));
    for (const event of events) {
      const [from, to] = [Math.max(range[0], event.start), Math.min(range[1], event.end)];
      if (to > from) picture.append(s("rect", { x: x(from), y: top, width: Math.max(2, x(to) - x(from)), height: foot - top, class: "moment-shade" }));
    }
    const y = (power) => foot - 3 - ((power - least) / -least) * (foot - 3 - top);
    for (let power = 0; power >= least; power -= Math.ceil(-least / 3)) {
      picture.append(line(left, y(power), right, y(power), "grid"), label(left - 6, y(power) + 4, "end", String(Number((10 ** power).toPrecision(1)))));
    }
    drawCurve(picture, stretches(shown, (window) => (given(window.p_value) ? Math.log10(Math.max(window.p_value, 10 ** least)) : null), facts.hop), x, y, width);
  });
}
