() => {
  const problems = [];
  const shown = (element) => element.checkVisibility() && element.getClientRects().length > 0;
  const describe = (element) => `${element.tagName.toLowerCase()}.${element.getAttribute("class") || ""} "${element.textContent.slice(0, 30)}"`;
  const name = (element) => (element.getAttribute("aria-label") || element.labels?.[0]?.textContent || element.textContent || element.title || "").trim();
  const all = [...document.querySelectorAll("body *")].filter(shown);
  for (const element of all) {
    if (element.matches("button, a[href], input, select, summary, [role=img], [role=slider], [role=group]") && !name(element)) problems.push(`no name: ${describe(element)}`);
    if (element.matches("img") && !element.hasAttribute("alt")) problems.push(`no alt: ${describe(element)}`);
    if (element.matches("[tabindex]") && Number(element.getAttribute("tabindex")) > 0) problems.push(`tabindex: ${describe(element)}`);
    if (element.matches("th") && !element.scope) problems.push(`no scope: ${describe(element)}`);
    if (element.matches("section") && !element.matches("[aria-labelledby]") && !element.querySelector(":scope > h3")) problems.push(`no heading: ${describe(element)}`);
    if (element.matches("[onclick], div[tabindex]:not([role])")) problems.push(`no role: ${describe(element)}`);
    if (element.matches("button, select, summary") && element.getBoundingClientRect().height < 24) problems.push(`too small: ${describe(element)}`);
    for (const attribute of ["aria-labelledby", "for"]) {
      if (element.hasAttribute(attribute) && !document.getElementById(element.getAttribute(attribute))) problems.push(`dangling: ${describe(element)}`);
    }
  }
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  if (new Set(ids).size !== ids.length) problems.push("an id is used twice");
  for (const landmark of ["h1", "header", "main"]) if (document.querySelectorAll(landmark).length !== 1) problems.push(`not one ${landmark}`);
  let level = 0;
  for (const heading of all.filter((each) => /^H\d$/.test(each.tagName))) {
    if (Number(heading.tagName[1]) > level + 1) problems.push(`skipped level: ${describe(heading)}`);
    level = Number(heading.tagName[1]);
  }
  // Contrast of WCAG 2: relative luminance of the text and of the nearest painted background.
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const background = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = parse(getComputedStyle(each).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  let lowest = 21;
  for (const element of all) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!hasText || element.disabled || element.closest(".unseen")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(parse(element instanceof SVGElement ? style.fill : style.color)), luminance(background(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    lowest = Math.min(lowest, contrast);
    if (contrast < 4.5) problems.push(`contrast ${contrast.toFixed(2)}: ${describe(element)}`);
  }
  return { problems, lowest, n: all.length };
}
