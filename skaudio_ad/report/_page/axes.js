// Charts are SVG in real pixels, and are drawn again when their width changes.

const redraw = new ResizeObserver((entries) => {
  for (const { target } of entries) if (target.draw && target.clientWidth !== target.drawnWidth) drawChart(target);
});

function drawChart(box) {
  const width = Math.max(160, box.clientWidth);
  box.drawnWidth = box.clientWidth;
  const picture = s("svg", { width, height: box.chartHeight, viewBox: `0 0 ${width} ${box.chartHeight}`, "aria-hidden": "true", focusable: "false" });
  box.draw(picture, width, box.chartHeight);
  box.querySelector("svg")?.remove();
  box.prepend(picture);
}

/** Make a box with a picture. The label describes the picture for readers who do not see it. */
function chart(label, height, draw, className = "") {
  const box = h("div", { class: `chart ${className}`, role: "img", "aria-label": label, style: { "min-height": `${height}px` } });
  box.draw = draw;
  box.chartHeight = height;
  redraw.observe(box);
  return box;
}

const line = (x1, y1, x2, y2, name) => s("line", { x1, y1, x2, y2, class: name });
const label = (x, y, anchor, text, name = "axis-text") => s("text", { x, y, "text-anchor": anchor, class: name }, text);
const points = (xs, ys) => xs.map((x, i) => `${x.toFixed(1)},${ys[i].toFixed(1)}`).join(" ");

/** Draw an axis of round numbers along the bottom. Return the function from values to pixels. */
function bottomAxis(picture, low, high, left, right, y, title, ticks = roundTicks(low, high, (right - left) / 70)) {
  const place = (value) => left + ((value - low) / (high - low || 1)) * (right - left);
  picture.append(line(left, y, right, y, "axis"));
  for (const tick of ticks) {
    picture.append(line(place(tick), y, place(tick), y + 4, "axis"), label(place(tick), y + 16, "middle", tickText(tick, ticks)));
  }
  if (title) picture.append(label((left + right) / 2, y + 32, "middle", title, "axis-title"));
  return place;
}

/** Draw lines and round numbers at the left side. Return the function from values to pixels. */
function leftAxis(picture, low, high, left, right, top, bottom, ticks = roundTicks(low, high, (bottom - top) / 35)) {
  const place = (value) => bottom - ((value - low) / (high - low || 1)) * (bottom - top);
  for (const tick of ticks) {
    picture.append(line(left, place(tick), right, place(tick), "grid"), label(left - 6, place(tick) + 4, "end", tickText(tick, ticks)));
  }
  return place;
}

/** Keep the lowest and the highest of the points that share a pixel. */
function thinned(pairs, width) {
  const size = Math.ceil(pairs.length / width);
  if (size < 4) return pairs;
  const kept = [];
  for (let i = 0; i < pairs.length; i += size) {
    const part = pairs.slice(i, i + size);
    const low = part.reduce((a, b) => (b[1] < a[1] ? b : a));
    const high = part.reduce((a, b) => (b[1] > a[1] ? b : a));
    kept.push(...(low[0] < high[0] ? [low, high] : [high, low]));
  }
  return kept;
}
