// Choice between the light and the dark theme. The browser keeps the choice.

function themeSwitch() {
  const choice = h("select", { id: "theme", "aria-label": "Theme", onchange: () => {
    document.documentElement.dataset.theme = choice.value;
    memory.write("theme", choice.value);
  } }, [["auto", "Theme of the system"], ["light", "Light"], ["dark", "Dark"]].map(([value, text]) => h("option", { value }, text)));
  const saved = memory.read("theme");
  choice.value = ["light", "dark"].includes(saved) ? saved : "auto";
  document.documentElement.dataset.theme = choice.value;
  return choice;
}
