// The list of events, with the sound and the picture of the event that is open, and the list of notices.

const KINDS = {
  gap: "gap", overrun: "sound lost", lost: "source lost", back: "source is back", rate: "sample rate", channels: "channels", clock: "clock", file: "file", end: "end",
  silence: "silence", clipping: "clipping", stuck: "source is stuck", dropped: "sound dropped", drift: "drift", start: "start", stop: "stop", restart: "restart", memory: "memory", sink: "output", disk: "disk",
};
const WARNINGS = new Set(["gap", "overrun", "lost", "rate", "channels", "clock", "silence", "clipping", "stuck", "dropped", "drift", "sink", "disk"]);
// Maximum number of notices on the page.
const SHOWN_NOTICES = 50;

const frequencies = ({ low_hz: low, high_hz: high }) => (given(low) && given(high) ? `${showHertz(low)} to ${showHertz(high)}` : "\u2013");

/** List of events, the newest first. */
class EventList {
  /** @param scoreText Function from a score to a text. */
  constructor(scoreText) {
    this.scoreText = scoreText;
    this.rows = new Map();
    this.title = h("h2", { id: "events-title" });
    this.list = h("ol", { class: "event-list" });
    this.empty = h("p", { class: "none" }, "No event yet.");
    this.head = h("div", { class: "event-row event-titles", "aria-hidden": "true" }, ["State", "Start", "Duration", "Peak p-value", "Frequencies"].map((text) => h("span", {}, text)));
    this.element = h("section", { class: "panel events", "aria-labelledby": "events-title" }, this.title, this.head, h("div", { class: "event-scroller" }, this.empty, this.list));
    this.clear();
  }

  clear() {
    for (const row of this.rows.values()) {
      row.player?.pause();
      clearTimeout(row.timer);
    }
    this.rows.clear();
    this.list.replaceChildren();
    this.update();
  }

  add(event, maximum) {
    let row = this.rows.get(event.id);
    if (!row) {
      row = this.makeRow();
      this.rows.set(event.id, row);
      this.list.prepend(row.item);
    }
    const isNews = !row.event || row.event.state !== event.state;
    row.event = event;
    if (isNews) row.changed = Date.now();
    this.fill(row);
    if (isNews && row.details.open) this.open(row);
    while (this.rows.size > maximum) {
      const [oldest, { item, timer }] = this.rows.entries().next().value;
      clearTimeout(timer);
      item.remove();
      this.rows.delete(oldest);
    }
    this.update();
  }

  makeRow() {
    const row = { body: h("div", { class: "event-body" }), summary: h("summary", { class: "event-row" }) };
    row.details = h("details", { ontoggle: () => (row.details.open ? this.open(row) : row.player?.pause()) }, row.summary, row.body);
    row.item = h("li", {}, row.details);
    return row;
  }

  fill(row) {
    const { event } = row;
    const isOpen = event.state === "raised";
    const cells = [
      h("span", { class: isOpen ? "badge badge-anomalous" : "badge" }, h("span", { class: "icon", "aria-hidden": "true" }, isOpen ? "\u25b2" : "\u25bd"), isOpen ? "goes on" : "ended"),
      timeElement(event.start),
      h("span", { class: "duration" }, h("span", { class: "cell-title" }, "duration "), showTime(event.end - event.start, 0)),
      h("span", {}, h("span", { class: "cell-title" }, "p-value "), showP(event.p_value)),
      h("span", {}, h("span", { class: "cell-title" }, "frequencies "), frequencies(event)),
    ];
    row.summary.replaceChildren(...cells);
    row.details.className = `event event-${event.state}`;
  }

  /** The end of an event that goes on is the end of the newest window. */
  extend(end) {
    for (const row of this.rows.values()) {
      if (row.event.state !== "raised" || end <= row.event.end) continue;
      row.event = { ...row.event, end };
      row.summary.querySelector(".duration").lastChild.textContent = showTime(end - row.event.start, 0);
    }
  }

  update() {
    const n = this.rows.size;
    this.title.textContent = n ? `Last ${n === 1 ? "event" : `${n} events`}` : "Events";
    this.empty.hidden = n > 0;
    this.head.hidden = n === 0;
  }

  get all() {
    return [...this.rows.values()].map((row) => row.event);
  }

  /** Show the details of an event, its picture and its sound. */
  open(row) {
    const { event } = row;
    const entry = (name, ...content) => h("div", {}, h("dt", {}, name), h("dd", {}, content));
    row.player?.pause();
    row.player = null;
    row.version = null;
    row.media = h("div", { class: "event-media" });
    const isOpen = event.state === "raised";
    row.body.replaceChildren(h("dl", { class: "facts" },
      entry("Start", timeElement(event.start)),
      isOpen ? null : entry("End", timeElement(event.end)),
      entry("Least normal at", timeElement(event.worst_time)),
      entry(isOpen ? "Lowest score at first" : "Lowest score", this.scoreText(event.score)),
      isOpen ? null : entry("Windows", count(event.n_windows)),
      event.reason ? entry("Ended because", event.reason) : null), row.media);
    this.loadMedia(row);
  }

  /** Ask which files the event has. The files of an event are written a little later, and again when the event ends. */
  async loadMedia(row) {
    clearTimeout(row.timer);
    const { event, media } = row;
    const address = `event/${encodeURIComponent(event.id)}`;
    let problem = "";
    try {
      const answer = await fetch(`${address}.json`);
      if (!answer.ok) throw new Error("the monitor does not know the event any more");
      const { files } = await answer.json();
      if (row.media !== media) return;
      this.showMedia(row, address, files);
    } catch (error) {
      problem = `The sound cannot be shown: ${error.message}.`;
    }
    if (problem && row.media === media && row.version === null) media.replaceChildren(h("p", { class: "note" }, problem));
    const isRecent = row.event.state === "raised" || Date.now() - row.changed < 60000;
    if (row.details.open && (isRecent || problem)) row.timer = setTimeout(() => this.loadMedia(row), 5000);
  }

  showMedia(row, address, files) {
    const version = `${files.flac}-${files.png}`;
    if (version === row.version || (row.player && !row.player.paused)) return;
    row.version = version;
    const name = `the event of ${localTime(row.event.start)}`;
    const children = [];
    if (files.png) children.push(h("img", { src: `${address}.png?version=${files.png}`, alt: `Spectrogram of ${name}`, class: "event-picture", width: 800, height: 300 }));
    if (files.flac) {
      row.player = h("audio", { src: `${address}.flac?version=${files.flac}`, controls: true, preload: "metadata", "aria-label": `Sound of ${name}` });
      row.player.addEventListener("play", () => this.stopOthers(row.player));
      row.player.addEventListener("error", () => row.media.append(h("p", { class: "warning", role: "status" }, "The sound cannot be played: this browser does not play FLAC, or the file is gone.")), { once: true });
      children.push(row.player);
    }
    row.media.replaceChildren(...(children.length ? children : [h("p", { class: "note" }, "There is no sound of this event. An AudioSink saves sounds, and the page needs the folder of the AudioSink.")]));
  }

  stopOthers(player) {
    for (const row of this.rows.values()) if (row.player && row.player !== player) row.player.pause();
  }
}

/** List of notices, the newest first. */
class NoticeList {
  constructor() {
    this.keys = new Set();
    this.list = h("ul", { class: "notice-list" });
    this.empty = h("p", { class: "none" }, "No notice yet.");
    this.element = h("section", { class: "panel notices", "aria-labelledby": "notices-title" }, h("h2", { id: "notices-title" }, "Notices"), h("div", { class: "notice-scroller", tabindex: "0", role: "group", "aria-labelledby": "notices-title" }, this.empty, this.list));
  }

  clear() {
    this.keys.clear();
    this.list.replaceChildren();
    this.empty.hidden = false;
  }

  add(notice) {
    if (this.keys.has(notice.key)) return;
    this.keys.add(notice.key);
    const isWarning = WARNINGS.has(notice.kind);
    this.list.prepend(h("li", { class: isWarning ? "notice notice-warning" : "notice", "data-key": notice.key },
      h("p", { class: "notice-head" }, h("span", { class: "kind" }, h("span", { class: "icon", "aria-hidden": "true" }, isWarning ? "\u26a0 " : "\u2139 "), Object.hasOwn(KINDS, notice.kind) ? KINDS[notice.kind] : notice.kind),
        timeElement(notice.time), given(notice.duration) && notice.duration > 0 ? h("span", {}, `${showTime(notice.duration)} without sound`) : null),
      h("p", {}, notice.text)));
    while (this.list.children.length > SHOWN_NOTICES) {
      this.keys.delete(this.list.lastChild.dataset.key);
      this.list.lastChild.remove();
    }
    this.empty.hidden = true;
  }
}
