// Data of the report, and scores with the decimals that tell the scores of the report apart.

const data = JSON.parse(document.getElementById("report-data").textContent);
const folder = JSON.parse(document.getElementById("report-folder").textContent);

const scoreDigits = decimalsFor(data.clips.map((clip) => clip.score));
const showScore = (value) => decimals(value, scoreDigits);
// A margin keeps its digits near the threshold, where the decision changes.
const showMargin = (value) => (given(value) && Number(Math.abs(value).toFixed(scoreDigits)) < 10 ** (1 - scoreDigits) ? significant(value, 2) : showScore(value));
