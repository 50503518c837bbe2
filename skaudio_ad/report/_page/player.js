// A spectrogram with a player: a cursor moves over the picture, and the picture starts the sound anywhere.

const settings = { originalLevels: false, overlay: true };

class Player {
  /** @param name Name of the sound for screen readers. */
  constructor(name, onPlay) {
    this.name = name;
    this.onPlay = onPlay;
    this.audio = h("audio", { preload: "auto" });
    this.button = h("button", { type: "button", class: "play", onclick: () => this.toggle() });
    this.clock = h("span", { class: "clock" });
    this.message = h("p", { class: "warning", role: "status", hidden: true });
    this.cursor = h("div", { class: "cursor", hidden: true });
    this.slider = h("div", { class: "picture", role: "slider", tabindex: "0", "aria-label": `Position in ${name}` });
    this.slider.addEventListener("click", (event) => this.onClick(event)); // no pointerdown, which also begins a scroll
    this.slider.addEventListener("keydown", (event) => this.onKey(event));
    for (const type of ["play", "pause", "ended", "timeupdate", "seeked"]) this.audio.addEventListener(type, () => this.update());
    this.audio.addEventListener("error", () => this.failed());
    this.clear();
  }

  clear() {
    this.stop();
    this.audio.removeAttribute("src");
    this.sound = null;
    this.view = { start: 0, duration: 1 };
    this.cursor.hidden = true;
    this.pending = null;
    this.say("");
    this.update();
  }

  /** Show another sound on the time axis of its picture. The sound is decoded when it is played. */
  load(sound, view) {
    this.clear();
    this.sound = sound && sound.asset ? sound : null;
    this.view = view;
    if (!this.sound) this.say((sound && sound.note) || "There is no sound to play.");
    this.update();
  }

  say(text) {
    this.message.textContent = visible(text);
    this.message.hidden = !text;
  }

  /** Time of the cursor in the recording, in seconds. */
  get time() {
    if (this.pending !== null) return this.pending;
    return (this.sound ? this.sound.start : 0) + (this.audio.currentTime || 0);
  }

  get playing() {
    return !this.audio.paused && !this.audio.ended;
  }

  async play(from = null) {
    if (!this.sound) return;
    const { sound } = this;
    const { start, duration } = sound;
    let at = from === null ? this.time : from;
    if (at >= start + duration - 0.01) at = start;
    this.pending = Math.min(Math.max(at, start), start + duration);
    this.update();
    try {
      if (!this.audio.hasAttribute("src")) {
        const url = await asset(sound.asset);
        if (this.sound !== sound) return; // another clip was chosen meanwhile
        this.audio.src = url;
      }
      if (this.audio.readyState < 1) {
        await new Promise((resolve) => {
          for (const type of ["loadedmetadata", "error"]) this.audio.addEventListener(type, resolve, { once: true });
        });
      }
      if (this.sound !== sound || this.audio.error) return;
      this.audio.currentTime = this.pending - start;
      this.pending = null;
      this.setVolume();
      this.onPlay(this);
      await this.audio.play();
    } catch (error) {
      if (error.name !== "AbortError" && this.sound === sound && !this.audio.error) this.say(`The sound cannot be played: ${error.message}`);
    }
  }

  /** Move the cursor without starting the sound. */
  seek(time) {
    if (!this.sound) return;
    if (this.playing) {
      this.play(time);
      return;
    }
    const { start, duration } = this.sound;
    this.pending = Math.min(Math.max(time, start), start + duration);
    this.update();
  }

  stop() {
    this.audio.pause();
  }

  toggle() {
    if (this.playing) this.stop();
    else this.play();
  }

  /** Sounds are encoded at one peak. Restore the level relative to the louder of the two sounds. */
  setVolume() {
    const { peak, loudest } = this;
    this.audio.volume = settings.originalLevels && given(peak) && given(loudest) ? Math.min(1, 10 ** ((peak - loudest) / 20)) : 1;
  }

  failed() {
    if (!this.audio.hasAttribute("src")) return;
    const reasons = { 1: "loading was stopped", 2: "the file cannot be read", 3: "the sound cannot be decoded", 4: "this browser does not play the format, or the file is missing" };
    const { code, message } = this.audio.error || {};
    this.say(`The sound cannot be played: ${reasons[code] || "the reason is unknown"}${message ? ` (${message})` : ""}. Use another browser, or make the report with another audio_format.`);
    this.audio.removeAttribute("src");
    this.update();
  }

  onClick(event) {
    const box = this.slider.getBoundingClientRect();
    this.play(this.view.start + ((event.clientX - box.left) / box.width) * this.view.duration);
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { start, duration } = this.view;
    const step = event.shiftKey ? duration / 100 : duration / 20;
    const moves = { ArrowRight: step, ArrowUp: step, ArrowLeft: -step, ArrowDown: -step, PageUp: duration / 5, PageDown: -duration / 5 };
    if (event.key in moves) this.seek(this.time + moves[event.key]);
    else if (event.key === "Home") this.seek(start);
    else if (event.key === "End") this.seek(start + duration);
    else if (event.key === "Enter") this.play();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  update() {
    const { playing } = this;
    if (this.button.dataset.playing !== String(playing)) {
      this.button.dataset.playing = String(playing);
      this.button.replaceChildren(h("span", { "aria-hidden": "true", class: "icon" }, playing ? "\u275a\u275a" : "\u25b6"), playing ? "Pause" : "Play");
      this.button.setAttribute("aria-label", `${playing ? "Pause" : "Play"} ${this.name}`);
    }
    this.button.disabled = !this.sound;
    const { start, duration } = this.view;
    const end = this.sound ? this.sound.start + this.sound.duration : start + duration;
    this.clock.textContent = this.sound ? `${showTime(this.time)} of ${showTime(end)}` : "";
    this.slider.setAttribute("aria-valuemin", start.toFixed(2));
    this.slider.setAttribute("aria-valuemax", (start + duration).toFixed(2));
    this.slider.setAttribute("aria-valuenow", this.time.toFixed(2));
    this.slider.setAttribute("aria-valuetext", this.sound ? `${showTime(this.time)} of ${showTime(end)}` : "no sound");
    const share = (this.time - start) / (duration || 1);
    this.cursor.hidden = !this.sound || share < 0 || share > 1.001;
    for (const cursor of [this.cursor, this.second]) if (cursor) cursor.style.left = `${100 * Math.min(1, share)}%`;
    if (this.second) this.second.hidden = this.cursor.hidden;
    cancelAnimationFrame(this.frame);
    if (playing) this.frame = requestAnimationFrame(() => this.update());
  }
}

/** Make the labels of a time axis. */
function timeAxis({ start, duration }) {
  const ticks = roundTicks(start, start + duration, start + duration >= 60 ? 4 : 6);
  const digits = ticks.length > 1 ? Math.max(0, -Math.floor(Math.log10(ticks[1] - ticks[0]) + 1e-9)) : 0;
  const texts = ticks.map((tick) => (start + duration >= 60 ? clockTime(tick, digits) : tickText(tick, ticks)));
  const labels = ticks.map((tick, i) => [tick, texts[i]]).filter(([tick]) => (tick - start) / duration < 0.95);
  return h("div", { class: "time-axis", "aria-hidden": "true" },
    labels.map(([tick, text]) => h("span", { style: { left: `${(100 * (tick - start)) / (duration || 1)}%` } }, text)),
    h("span", { class: "unit" }, start + duration >= 60 ? "time" : "s"));
}

/** Fill the picture of a player: spectrogram, map of what sounds wrong, moments. Return the axis of frequencies. */
function showSpectrogram(player, spectrogram, moments = []) {
  const { start, duration } = player.view;
  const children = [];
  const image = (name, className) => {
    const element = h("img", { alt: "", class: className, decoding: "async", draggable: "false" });
    asset(name).then((url) => {
      element.addEventListener("error", () => player.say("The picture cannot be shown: its file is missing."));
      element.src = url;
    }, (error) => player.say(error.message));
    return element;
  };
  if (spectrogram) {
    children.push(image(spectrogram.asset, "spectrogram"));
    if (spectrogram.map) {
      const map = image(spectrogram.map, "map");
      map.hidden = !settings.overlay;
      children.push(map);
    }
  } else children.push(h("p", { class: "no-picture" }, "There is no spectrogram."));
  for (const moment of moments) {
    const [from, to] = [Math.max(start, moment.start), Math.min(start + duration, moment.end)];
    if (to <= from) continue;
    children.push(h("div", { class: "moment", style: { left: `${(100 * (from - start)) / duration}%`, width: `${(100 * (to - from)) / duration}%` } }));
  }
  player.slider.replaceChildren(...children, player.cursor);
  const ticks = spectrogram ? spectrogram.ticks : [];
  return h("div", { class: "frequency-axis", "aria-hidden": "true" }, ticks.map(([share, text]) => h("span", { style: { bottom: `${100 * share}%` } }, text)));
}
