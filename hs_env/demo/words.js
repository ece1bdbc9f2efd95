// The sentence on the page: words, and what can be changed about them by click or by keyboard.

// Words with a button after each but the last, which cuts there or joins; or words that are buttons themselves.
class SentenceView {
  constructor(container, toggle) {
    this.container = container;
    this.toggle = toggle;
    container.addEventListener("keydown", (event) => this.move(event));
    container.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.press(this.buttons.indexOf(button));
    });
  }

  show(tokens, unknown, problem) {
    this.problem = problem;
    this.tokens = tokens;
    this.buttons = [];
    this.container.replaceChildren(...tokens.map((token, at) => this.item(token, unknown[at], at)));
    if (this.buttons.length) this.buttons[0].tabIndex = 0;
  }

  item(token, unknown, at) {
    const kind = unknown ? "word unknown" : "word";
    if (this.problem === "distillation") {
      const button = element("button", { type: "button", class: kind, tabIndex: -1 }, token);
      this.buttons.push(button);
      return element("span", { class: "item" }, button);
    }
    const item = element("span", { class: "item" }, element("span", { class: kind }, token), " ");
    if (this.problem === "segmentation" && at < this.tokens.length - 1) {
      const name = `Cut between ${token} and ${this.tokens[at + 1]}`;
      const button = element("button", { type: "button", class: "gap", tabIndex: -1, "aria-label": name });
      this.buttons.push(button);
      item.append(button);
    }
    return item;
  }

  // Show actions: which words share a phrase, or which are deleted.
  paint(actions) {
    this.buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(actions[at] === 1)));
    if (this.problem !== "segmentation") return;
    let phrase = 0;
    [...this.container.children].forEach((item, at) => {
      item.classList.toggle("odd", phrase % 2 === 1);
      item.classList.toggle("first", at === 0 || actions[at - 1] === 1);
      item.classList.toggle("last", actions[at] === 1);
      phrase += actions[at];
    });
  }

  press(at) {
    this.focus(at);
    this.toggle(at);
  }

  focus(at) {
    this.buttons.forEach((button, other) => (button.tabIndex = other === at ? 0 : -1));
    this.buttons[at].focus();
  }

  move(event) {
    const at = this.buttons.indexOf(document.activeElement);
    const last = this.buttons.length - 1;
    const to = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0, End: last }[
      event.key
    ];
    if (at < 0 || to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.focus(Math.min(Math.max(to, 0), last));
  }
}

// The words as they are read under actions, in one line of text: phrases, or words of which some are deleted.
function readAs(tokens, actions, problem) {
  if (problem === "distillation") {
    return tokens.flatMap((token, at) => [actions[at] ? element("span", {}, token) : element("del", {}, token), " "]);
  }
  return phrasesOf(tokens, actions).flatMap((words, at) => [
    ...(at ? [hidden(", "), " "] : []),
    element("span", { class: "chunk" }, words.join(" ")),
  ]);
}

function phrasesOf(tokens, actions) {
  const phrases = [[]];
  tokens.forEach((token, at) => {
    phrases.at(-1).push(token);
    if (actions[at] && at < tokens.length - 1) phrases.push([]);
  });
  return phrases;
}

// The phrases of an HM-LSTM, one row per layer. A phrase of a layer ends where all layers up to it have a boundary.
function layersOf(tokens, boundaries) {
  const layers = boundaries[0]?.length ?? 0;
  return Array.from({ length: layers }, (_, layer) => {
    const ends = boundaries.map((own) => Number(own.slice(0, layer + 1).every(Boolean)));
    const title = element("dt", {}, `Layer ${layer + 1}`, hidden(": "));
    return element("div", {}, title, element("dd", {}, ...readAs(tokens, ends, "segmentation")));
  });
}
