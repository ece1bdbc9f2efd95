// Make elements. All text is set as text, never as HTML.

const byId = (id) => document.getElementById(id);

// An element with properties (`class`, `aria-*`, `data-*` and `role` as attributes), and children: elements or text.
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class" || key === "role" || key.includes("-")) made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

// Turn `a *word* in text` into text with an element of the given name for each marked part.
function marked(text, name = "dfn") {
  return text.split("*").map((part, at) => (at % 2 ? element(name, {}, part) : part));
}

const plain = (value) =>
  value
    .toFixed(3)
    .replace(/^-0\.000$/, "0.000")
    .replace("-", "\u2212");
const signed = (value) => (value < 0 ? plain(value) : `+${plain(value)}`);
const percent = (value) => `${(100 * value).toFixed(1)}%`;
const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
const hidden = (text) => element("span", { class: "visually-hidden" }, text);
