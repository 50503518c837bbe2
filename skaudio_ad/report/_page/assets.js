// Assets are decoded when they are shown: from elements at the end of the page, or from files in a folder.

const DECISIONS = {
  anomalous: { icon: "\u25b2", word: "anomalous" },
  normal: { icon: "\u25cf", word: "normal" },
  error: { icon: "\u2715", word: "not read" },
};
// Maximum number of decoded assets that are kept. Four or five belong to one clip.
const MAX_KEPT = 60;
const kept = new Map();
const waiting = new Map();

/** Return the value of an asset: an object for JSON, or the URL of a sound or a picture. */
function asset(name) {
  if (kept.has(name)) {
    const value = kept.get(name);
    kept.delete(name);
    kept.set(name, value); // the asset is now the last that will be dropped
    return value;
  }
  const value = readAsset(name);
  kept.set(name, value);
  value.catch(() => kept.delete(name));
  if (kept.size > MAX_KEPT) {
    const [oldest, url] = kept.entries().next().value;
    kept.delete(oldest);
    url.then((each) => typeof each === "string" && each.startsWith("blob:") && URL.revokeObjectURL(each), () => {});
  }
  return value;
}

/** Read an asset that the page does not keep. */
const readAsset = (name) => (folder === null ? embedded(name) : fromFolder(name));

async function embedded(name) {
  let element = document.getElementById(`asset-${name}`);
  // An element is complete when the parser has gone on to the next node.
  while (!(element && element.nextSibling)) {
    if (document.readyState !== "loading") {
      if (element) break;
      throw new Error("The file of the report is not complete: make the report again.");
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    element = document.getElementById(`asset-${name}`);
  }
  const type = element.dataset.type;
  if (type === "application/json") return JSON.parse(element.textContent);
  const text = atob(element.textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return URL.createObjectURL(new Blob([bytes], { type }));
}

function decoded(url) {
  try {
    return decodeURIComponent(url);
  } catch {
    return url; // a name that is not UTF-8
  }
}

function fromFolder(name) {
  if (!name.endsWith(".json")) return Promise.resolve(`${folder}/${name}`);
  return new Promise((resolve, reject) => {
    waiting.set(name, resolve);
    const script = h("script", { src: `${folder}/${name}.js` });
    script.addEventListener("load", () => script.remove());
    script.addEventListener("error", () => {
      script.remove();
      waiting.delete(name);
      reject(new Error(`The page cannot read ${name}.js: keep the folder "${decoded(folder)}" beside the page.`));
    });
    document.head.append(script);
  });
}

// The files of the folder call this function.
window.skaudioAsset = (name, value) => {
  const resolve = waiting.get(name);
  waiting.delete(name);
  if (resolve) resolve(value);
};
