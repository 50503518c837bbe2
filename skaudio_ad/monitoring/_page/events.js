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
    for (const row of this.rows.values()) row.player?.pause();
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
    this.fill(row);
    if (isNews && row.details.open) this.open(row);
    while (this.rows.size > maximum) {
      const [oldest, { item }] = this.rows.entries().next().value;
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
  async open(row) {
    const { event } = row;
    const entry = (name, ...content) => h("div", {}, h("dt", {}, name), h("dd", {}, content));
    row.player?.pause();
    row.player = null;
    const media = h("div", { class: "event-media" }, h("p", { class: "note" }, "The sound is looked up ..."));
    row.body.replaceChildren(h("dl", { class: "facts" },
      entry("Start", timeElement(event.start)),
      entry(event.state === "raised" ? "Newest window" : "End", timeElement(event.end)),
      entry("Least normal at", timeElement(event.worst_time)),
      entry("Lowest score", this.scoreText(event.score)),
      entry("Windows", count(event.n_windows)),
      event.reason ? entry("Ended because", event.reason) : null), media);
    const address = `event/${encodeURIComponent(event.id)}`;
    try {
      const answer = await fetch(`${address}.json`);
      if (!answer.ok) throw new Error("the monitor does not know the event any more");
      const { files } = await answer.json();
      if (row.event.state === event.state) this.showMedia(row, media, address, files);
    } catch (error) {
      media.replaceChildren(h("p", { class: "note" }, `The sound cannot be shown: ${error.message}.`));
    }
  }

  showMedia(row, media, address, files) {
    // The files of an event are written anew when the event ends.
    const version = `?state=${row.event.state}`;
    const name = `the event of ${localTime(row.event.start)}`;
    const children = [];
    if (files.includes("png")) children.push(h("img", { src: `${address}.png${version}`, alt: `Spectrogram of ${name}`, class: "event-picture" }));
    if (files.includes("flac")) {
      row.player = h("audio", { src: `${address}.flac${version}`, controls: true, preload: "metadata", "aria-label": `Sound of ${name}` });
      row.player.addEventListener("play", () => this.stopOthers(row.player));
      row.player.addEventListener("error", () => children.length && media.append(h("p", { class: "warning", role: "status" }, "The sound cannot be played: this browser does not play FLAC, or the file is gone.")), { once: true });
      children.push(row.player);
    }
    media.replaceChildren(...(children.length ? children : [h("p", { class: "note" }, "There is no sound of this event. An AudioSink saves sounds, and the page needs the folder of the AudioSink.")]));
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
    this.element = h("section", { class: "panel notices", "aria-labelledby": "notices-title" }, h("h2", { id: "notices-title" }, "Notices"), h("div", { class: "notice-scroller" }, this.empty, this.list));
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
