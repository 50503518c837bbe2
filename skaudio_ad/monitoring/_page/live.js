// The page as a whole: what the monitor sends, the state at a glance, start.

const STATES = {
  alarm: { icon: "\u25b2", text: "The sound is anomalous." },
  no_sound: { icon: "\u2715", text: "The monitor hears nothing, so it cannot raise an alarm." },
  drift: { icon: "\u2248", text: "Normal sound has changed since the detector was trained." },
  waiting: { icon: "\u2026", text: "The first window is not complete yet." },
  normal: { icon: "\u25cf", text: "The sound is normal." },
  lost: { icon: "\u2715", text: "The page shows what the monitor said last. The page connects again by itself." },
};
// Milliseconds. The monitor sends a message every five seconds at least.
const SILENCE = 12000;
const RECONNECT = 3000;
const REDRAW = 250;
const MAX_EVENTS = 200;
const MAX_WINDOWS = 7200;
// Level at the left end of the meter, in dB relative to full scale.
const LOWEST_DB = -80;

const monitor = { facts: {}, status: null, columns: [], windows: [], heard: Date.now(), lostSince: null, ageAt: Date.now() };
let scoreDigits = 3;
const scoreText = (value) => decimals(value, scoreDigits);
const events = new EventList(scoreText);
const notices = new NoticeList();
const view = {
  heading: h("h1", {}, "Monitor"),
  detector: h("p", { class: "created" }),
  state: h("div", { class: "state" }),
  also: h("p", { class: "also" }),
  age: h("p", { class: "note" }),
  meter: h("div", { class: "meter", role: "meter", "aria-label": "Level", "aria-valuemin": LOWEST_DB, "aria-valuemax": 0, "aria-valuenow": LOWEST_DB }, h("div", { class: "meter-bar" })),
  level: h("dd", {}, "\u2013"), score: h("dd", {}, "\u2013"), p: h("dd", {}, "\u2013"), drift: h("dd", {}, "\u2013"), raise: h("small", {}), problem: h("p", { class: "warning", hidden: true }),
  facts: h("dl", { class: "summary-facts" }), versions: h("p", { class: "note" }),
  alert: h("p", { class: "unseen", role: "alert" }), news: h("p", { class: "unseen", role: "status" }),
};
const plain = (value) => (given(value) ? String(Number(value.toPrecision(6))) : "\u2013");
const shownHistory = () => (monitor.facts.history || 3600);
const hasP = () => monitor.windows.some((each) => given(each.p_value));
const get = () => ({ windows: monitor.windows, events: events.all, facts: monitor.facts, history: shownHistory(), hasP: hasP() });
const scoreChart = scoreTimeline(get);
const pChart = pTimeline(get);

const asWindow = (row) => Object.fromEntries(monitor.columns.map((name, i) => [name, row[i]]));

function setState({ facts, status, columns, windows, events: listed, notices: said }) {
  Object.assign(monitor, { facts, columns });
  monitor.windows = windows.map(asWindow);
  events.clear();
  notices.clear();
  chooseDigits();
  for (const event of listed) events.add(event, MAX_EVENTS);
  for (const notice of said) notices.add(notice);
  showFacts();
  setStatus(status, false);
}

function addWindow(row) {
  const window = asWindow(row);
  monitor.windows.push(window);
  const first = window.end - shownHistory();
  while (monitor.windows.length > MAX_WINDOWS || monitor.windows[0].end < first) monitor.windows.shift();
}

/** Choose the decimals that tell normal scores apart. Scores far below the alarm level would hide the decimals. */
function chooseDigits() {
  const { raise_level: raise, clear_level: clear } = monitor.facts;
  const normal = monitor.windows.map((window) => window.score).filter((score) => !given(raise) || score >= raise);
  const digits = decimalsFor([...normal, raise, clear]);
  if (digits === scoreDigits) return;
  scoreDigits = digits;
  showFacts();
}

/** Take the state at a glance. A change is said aloud by a screen reader. */
function setStatus(status, isNews = true) {
  const before = monitor.status;
  monitor.status = status;
  monitor.ageAt = Date.now() - 1000 * status.age;
  if (isNews && before && before.state !== status.state) {
    const text = `${status.word}${given(status.since) ? ` since ${localTime(status.since)}` : ""}. ${STATES[status.state].text}`;
    (status.state === "alarm" || status.state === "no_sound" ? view.alert : view.news).textContent = text;
  }
  showTitle();
  show();
}

function showTitle() {
  const word = monitor.lostSince !== null ? "No connection" : monitor.status ? monitor.status.word : "";
  const mark = monitor.status && monitor.status.state === "alarm" && monitor.lostSince === null ? "\u25b2 " : "";
  document.title = visible([mark + word, monitor.facts.source || "Monitor"].filter(Boolean).join(" \u2013 "));
}

let timer = null;
let drawnAt = 0;
/** Draw soon. A replay may send hundreds of windows a second. */
function show() {
  if (timer !== null) return;
  timer = setTimeout(() => {
    timer = null;
    drawnAt = Date.now();
    draw();
  }, Math.max(0, REDRAW - (Date.now() - drawnAt)));
}

function draw() {
  showState();
  const window = monitor.windows.at(-1);
  if (window) {
    events.extend(window.end);
    showNumbers(window);
  }
  chooseDigits();
  pFigure.hidden = !hasP();
  for (const box of [scoreChart, pChart]) if (box.clientWidth) drawChart(box);
  const below = monitor.windows.filter((each) => given(each.score) && each.score < monitor.facts.raise_level).length;
  scoreChart.setAttribute("aria-label", `Scores of the last ${plural(monitor.windows.length, "window")}. ${plural(below, "window")} below the alarm level ${scoreText(monitor.facts.raise_level)}.`);
}

function showState() {
  const { status } = monitor;
  const isLost = monitor.lostSince !== null;
  if (!status && !isLost) return;
  const state = isLost ? "lost" : status.state;
  const word = isLost ? "The monitor does not answer" : status.word;
  const since = isLost ? monitor.lostSince : status.since;
  view.state.className = `state state-${state}`;
  view.state.replaceChildren(h("span", { class: "state-icon", "aria-hidden": "true" }, STATES[state].icon),
    h("div", {}, h("p", { class: "state-word" }, word, given(since) ? h("span", { class: "since" }, " since ", timeElement(since)) : null), h("p", {}, STATES[state].text)));
  const also = isLost && status ? [status, ...status.also] : status ? status.also : [];
  view.also.hidden = !also.length;
  view.also.replaceChildren(isLost ? "Last known: " : "Also: ", also.map((each, i) => [i ? "; " : "", h("strong", {}, each.word), given(each.since) ? [" since ", timeElement(each.since)] : ""]).flat(3).reduce((all, each) => (all.append(each), all), document.createDocumentFragment()));
  main.classList.toggle("is-lost", isLost);
}

function showNumbers(window) {
  const { facts } = monitor;
  const db = given(window.level_db) ? window.level_db : null;
  const share = db === null ? 0 : Math.min(1, Math.max(0, 1 - db / LOWEST_DB));
  view.meter.firstChild.style.width = `${100 * share}%`;
  view.meter.classList.toggle("meter-high", db !== null && db > -1);
  view.meter.setAttribute("aria-valuenow", db === null ? LOWEST_DB : db.toFixed(0));
  view.meter.setAttribute("aria-valuetext", db === null ? "silent" : showDb(db));
  view.level.textContent = db === null ? "silent" : showDb(db);
  view.score.textContent = scoreText(window.score);
  view.score.className = given(window.score) && window.score < facts.raise_level ? "value-anomalous" : "";
  view.raise.textContent = given(facts.raise_level) ? `alarm below ${scoreText(facts.raise_level)}` : "";
  view.p.textContent = showP(window.p_value);
  view.drift.textContent = given(window.drift) ? decimals(window.drift, 2) : "\u2013";
  view.problem.hidden = !window.error;
  view.problem.textContent = window.error ? visible(`The newest window has no score: ${window.error}`) : "";
}

function showAge() {
  const first = !monitor.windows.length;
  const age = Math.max(0, (Date.now() - monitor.ageAt) / 1000);
  view.age.textContent = monitor.status ? (first ? `No window for ${showTime(age, 0)}.` : `The newest window came ${showTime(age, 0)} ago.`) : "";
}

function showFacts() {
  const { facts } = monitor;
  view.heading.textContent = visible(facts.source);
  view.detector.textContent = visible(facts.detector);
  const fact = (name, ...content) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, content));
  view.facts.replaceChildren(
    fact("Source", facts.source), fact("Detector", facts.detector),
    fact("Windows", `${plain(facts.window)}\u202fs, every ${plain(facts.hop)}\u202fs`),
    fact("Sample rate", `${count(facts.sample_rate)}\u202fHz`),
    fact("Alarm level", `An alarm begins below the score ${scoreText(facts.raise_level)} and ends above ${scoreText(facts.clear_level)}.`),
    fact("False events", facts.statement || "Nothing is known about the rate of false events."));
  view.versions.textContent = visible(Object.entries(facts.versions || {}).map(([name, version]) => `${name} ${version}`).join(" \u00b7 "));
}

function setLost(isLost) {
  if (isLost === (monitor.lostSince !== null)) return;
  monitor.lostSince = isLost ? monitor.heard / 1000 : null;
  (isLost ? view.alert : view.news).textContent = isLost ? "The monitor does not answer." : "The monitor answers again.";
  showTitle();
  show();
}

let stream = null;
let retry = null;
function connect() {
  clearTimeout(retry);
  retry = null;
  if (stream) stream.close();
  stream = new EventSource("events");
  const listen = (name, take) => stream.addEventListener(name, (message) => {
    monitor.heard = Date.now();
    setLost(false);
    take(JSON.parse(message.data));
  });
  listen("state", setState);
  listen("window", ({ record, status }) => {
    addWindow(record);
    setStatus(status);
  });
  listen("event", ({ record, status }) => {
    events.add(record, MAX_EVENTS);
    setStatus(status);
  });
  listen("notice", ({ record, status }) => {
    notices.add(record);
    setStatus(status);
  });
  listen("beat", ({ status }) => setStatus(status));
  stream.addEventListener("error", () => {
    setLost(true);
    // A browser gives up after an answer that is an error, for instance because too many pages are open.
    if (stream.readyState === EventSource.CLOSED && retry === null) retry = setTimeout(connect, RECONNECT);
  });
}

/** Connect anew where the stream is silent, for instance after a phone has slept. */
function watch() {
  showAge();
  const silence = Date.now() - monitor.heard;
  if (silence > SILENCE) setLost(true);
  if (silence > SILENCE && retry === null && (silence / 1000) % 10 < 1) connect();
}

const tile = (name, element, ...more) => h("div", { class: "number-tile" }, h("dt", {}, name), element, more);
const pFigure = h("figure", {}, h("figcaption", {}, "p-values"), pChart);
const main = h("main", {},
  h("section", { class: "panel glance", "aria-labelledby": "glance-title" }, h("h2", { id: "glance-title", class: "unseen" }, "State"), view.state, view.also,
    h("dl", { class: "numbers" }, tile("Level", view.level, view.meter), tile("Score", view.score, view.raise), tile("p-value", view.p), tile("Drift", view.drift, h("small", {}, "reported at 2"))),
    view.problem, view.age),
  h("section", { class: "panel timeline", "aria-labelledby": "timeline-title" }, h("h2", { id: "timeline-title", class: "unseen" }, "Scores over time"),
    h("figure", {}, h("figcaption", {}, "Scores ", h("small", {}, "higher is more normal")), scoreChart), pFigure,
    h("p", { class: "keys" },
      h("span", { class: "key" }, h("span", { class: "swatch swatch-event" }), "event (\u25b2 at the top)"),
      h("span", { class: "key" }, h("span", { class: "swatch swatch-raise" }), "alarm level"),
      h("span", { class: "key" }, h("span", { class: "swatch swatch-clear" }), "level that ends an alarm"))),
  h("div", { class: "columns" }, events.element,
    h("div", { class: "side" }, notices.element,
      h("section", { class: "panel", "aria-labelledby": "facts-title" }, h("h2", { id: "facts-title" }, "About this monitor"), view.facts, view.versions))));

document.getElementById("live").append(
  h("a", { class: "skip", href: "#events-title" }, "Skip to the events"),
  h("header", {}, h("div", {}, view.heading, view.detector), h("div", { class: "header-tools" }, themeSwitch())),
  main, view.alert, view.news);
connect();
setInterval(watch, 1000);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && Date.now() - monitor.heard > SILENCE && connect());
