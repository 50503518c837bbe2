// Moments as files of other programs.

// A tab or a line break in a name would begin another cell or row.
const oneLine = (text) => visible(text);
const fixed = (value, digits = 6) => value.toFixed(digits);
// A number with significant digits and without zeros at its end, as the command line writes the number.
const rounded = (value, digits) => (given(value) ? String(Number(value.toPrecision(digits))) : "");
const hasBand = (moment) => given(moment.low_hz) && given(moment.high_hz);

/** Return moments as labels of Audacity. A second line gives the frequencies where they are known. */
function audacityLabels(pairs, withName) {
  const lines = pairs.flatMap(([clip, moments]) => moments.map((moment) => {
    const text = `${withName ? `${oneLine(clip.name)}: ` : ""}anomalous, score ${rounded(moment.score, 4)}`;
    const label = `${fixed(moment.start)}\t${fixed(moment.end)}\t${text}`;
    return hasBand(moment) ? `${label}\n\\\t${fixed(moment.low_hz)}\t${fixed(moment.high_hz)}` : label;
  }));
  return lines.map((text) => `${text}\n`).join("");
}

/**
 * Return moments as a selection table of Raven. The columns of frequencies are left out if one moment has none.
 * Times of several recordings count as if the recordings of the table followed each other.
 */
function ravenTable(pairs) {
  let before = 0;
  const all = pairs.flatMap(([clip, moments]) => {
    const rows = moments.map((moment) => [clip, moment, before]);
    if (moments.length) before += clip.duration;
    return rows;
  });
  const bands = all.length > 0 && all.every(([, moment]) => hasBand(moment));
  const header = ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", ...(bands ? ["Low Freq (Hz)", "High Freq (Hz)"] : []), "Begin Path", "File Offset (s)", "Score"];
  const rows = all.map(([clip, moment, offset], i) => [
    i + 1, "Spectrogram 1", 1, fixed(offset + moment.start), fixed(offset + moment.end),
    ...(bands ? [fixed(moment.low_hz, 3), fixed(moment.high_hz, 3)] : []),
    oneLine(clip.path), fixed(moment.start), rounded(moment.score, 6),
  ]);
  return [header, ...rows].map((row) => `${row.join("\t")}\n`).join("");
}

/** Load the moments of clips. */
async function momentsOf(clips, onProgress) {
  const pairs = [];
  for (const clip of clips) {
    if (clip.decision !== "error") pairs.push([clip, (await readAsset(`${clip.id}.json`)).moments || []]);
    onProgress(pairs.length);
  }
  return pairs;
}

/** Save the moments of clips as a file. Return a sentence that says what was done. */
async function exportMoments(kind, clips, onProgress = () => {}) {
  const pairs = await momentsOf(clips, onProgress);
  const n = pairs.reduce((sum, [, moments]) => sum + moments.length, 0);
  if (!n) return clips.length === 1 ? "This recording has no moments to save." : "There are no moments to save.";
  const stem = clips.length === 1 ? clips[0].name.replace(/\.[^.]*$/, "").replace(/[^\w-]+/g, "_") : "all";
  if (kind === "audacity") download(`${stem}.labels.txt`, audacityLabels(pairs, clips.length > 1));
  else download(`${stem}.selections.txt`, ravenTable(pairs));
  return `${plural(n, "moment")} of ${plural(pairs.filter(([, moments]) => moments.length).length, "recording")} saved.`;
}
