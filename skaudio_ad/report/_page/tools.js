// Elements, texts and numbers. Texts become text nodes, so no text from outside can become markup.

const SVG = "http://www.w3.org/2000/svg";

// Characters that show nothing or move other characters: controls, direction marks, halves of surrogate pairs.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Return a text in which control characters are their symbols, and other unseen characters are escapes. */
function visible(text) {
  return String(text).replace(UNSEEN, (char) => {
    const code = char.charCodeAt(0);
    if (code < 32) return String.fromCharCode(0x2400 + code);
    if (code === 127) return "\u2421";
    if (code >= 0xdc80 && code <= 0xdcff) return "\\x" + (code - 0xdc00).toString(16); // a byte that is not UTF-8
    return "\\u" + code.toString(16).padStart(4, "0");
  });
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else if (name === "title" || name === "aria-label") element.setAttribute(name, visible(value));
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : visible(child));
  }
  return element;
}

/** Make an element of HTML. */
const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
/** Make an element of SVG. */
const s = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
const count = (n) => (n < 10000 ? String(n) : String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f"));
const given = (value) => value !== null && value !== undefined && Number.isFinite(value);
const minus = (text) => text.replace(/^-/, "\u2212").replace("e-", "e\u2212");

/** Return a number with a fixed number of decimals, or in powers of ten if the number is very large. */
function decimals(value, digits) {
  if (!given(value)) return "\u2013";
  return minus(Math.abs(value) >= 1e6 ? value.toExponential(2) : value.toFixed(digits));
}

/** Return a number with significant digits. */
function significant(value, digits = 3) {
  if (!given(value)) return "\u2013";
  if (value === 0) return "0";
  const power = Math.floor(Math.log10(Math.abs(value)));
  if (power < -4 || power >= 6) return minus(value.toExponential(digits - 1));
  return minus(value.toFixed(Math.max(0, digits - 1 - power)));
}

/** Return the number of decimals that tells the scores apart. */
function decimalsFor(values) {
  const sorted = values.filter(given).sort((a, b) => a - b);
  if (sorted.length < 2) return 3;
  const range = sorted[Math.floor(0.95 * (sorted.length - 1))] - sorted[Math.floor(0.05 * (sorted.length - 1))];
  return range > 0 ? Math.min(8, Math.max(0, 2 - Math.floor(Math.log10(range)))) : 3;
}

// A p-value is never shown as zero.
const showP = (value) => (given(value) && value < 0.0001 ? "< 0.0001" : significant(value, 2));
const showPercent = (rate) => `${significant(100 * rate, 2).replace(/\.0+$/, "")}\u202f%`;
const showDb = (value) => (given(value) ? `${decimals(value, 0)}\u202fdB` : "\u2013");

/** Return a time such as 3.2 s, 2:05.0 or 1:02:05.0. */
function showTime(seconds, digits = 1) {
  if (!given(seconds)) return "\u2013";
  const rounded = Number(Math.max(0, seconds).toFixed(digits));
  return rounded < 60 ? `${rounded.toFixed(digits)}\u202fs` : clockTime(rounded, digits);
}

/** Return a time such as 0:03, 2:05.0 or 1:02:05. */
function clockTime(seconds, digits) {
  const rounded = Number(Math.max(0, seconds).toFixed(digits));
  const whole = Math.floor(rounded);
  const rest = digits ? (rounded - whole).toFixed(digits).slice(1) : "";
  const two = (n) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}${rest}` : `${minutes}:${two(whole % 60)}${rest}`;
}

function showHertz(hertz) {
  if (!given(hertz)) return "\u2013";
  return hertz < 1000 ? `${significant(hertz, Math.abs(hertz) < 100 ? 2 : 3)}\u202fHz` : `${significant(hertz / 1000, 2)}\u202fkHz`;
}

/** Return about n round numbers between two limits. */
function roundTicks(low, high, n) {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(1, n);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999);
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step) {
    ticks.push(Math.abs(tick) < step * 1e-9 ? 0 : tick);
  }
  return ticks;
}

const tickText = (tick, ticks) => {
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : Math.abs(tick) || 1;
  return decimals(tick, Math.min(8, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))));
};

// A browser may refuse to keep anything, for instance in a private window: the page then works without memory.
const memory = {
  available: true,
  read(name) {
    try {
      return localStorage.getItem(`skaudio-ad:${name}`);
    } catch {
      this.available = false;
      return null;
    }
  },
  write(name, text) {
    try {
      localStorage.setItem(`skaudio-ad:${name}`, text);
      this.available = true;
    } catch {
      this.available = false;
    }
    return this.available;
  },
};

/** Offer a text as a file to save. */
function download(name, text, type = "text/plain") {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
