// The page: what is chosen, and what follows from it.

const state = {
  run: null,
  tokens: [],
  reading: null,
  actions: [],
  logProbs: [],
  label: 0,
  assumed: true,
  chosen: false, // whether the visitor chose the label
  policies: [],
};
const view = new SentenceView(byId("sentence"), toggle);
let runs = [];
let search = 0; // number of the newest search; older ones stop
let milliseconds = 0; // of the last change, from the click to the new page

function chooseRun(run) {
  const sameCorpus = state.run?.corpus === run.corpus;
  state.chosen &&= sameCorpus;
  state.run = run;
  const texts = TEXTS[run.kind];
  byId("headline").textContent = texts.headline;
  byId("lead").textContent = texts.lead.replace("{verdict}", () => verdictOf(run.labels));
  byId("stage-title").textContent = texts.stage;
  byId("stage-text").replaceChildren(...marked(texts.explain));
  byId("hint").textContent = texts.hint;
  byId("sentence").setAttribute("aria-label", texts.group);
  for (const id of ["reward-box", "right", "policies-section"]) byId(id).hidden = !run.reward;
  if (run.reward) {
    byId("policies-text").replaceChildren(...marked(texts.policies));
    byId("reward-text").replaceChildren(...marked(texts.reward));
    byId("label").replaceChildren(...run.labels.map((label, value) => element("option", { value }, label)));
  }
  byId("layers").hidden = run.kind !== "hm_lstm";
  byId("notes").replaceChildren(...notesOf(run, runs.version).map((each) => element("p", {}, each)));
  const options = run.examples.map(({ text }, value) => element("option", { value }, text));
  byId("examples").replaceChildren(element("option", { value: "" }, "Choose an example\u2026"), ...options);
  byId("examples-row").hidden = !options.length;
  [...byId("runs").children].forEach((tab, at) => {
    tab.setAttribute("aria-selected", String(runs[at] === run));
    tab.tabIndex = runs[at] === run ? 0 : -1;
  });
  const index = Number(byId("examples").value || 0);
  if (sameCorpus || !options.length) chooseText(byId("text").value);
  else chooseExample(index);
}

function chooseExample(index) {
  const { examples } = state.run;
  byId("examples").value = String(index);
  byId("text").value = examples[index].text;
  chooseText(examples[index].text);
}

function chooseText(text) {
  const { run } = state;
  const tokens = run.tokenise(text);
  search += 1; // stops the search for the text before
  const example = run.examples.find((each) => each.text === text);
  if (!example) byId("examples").value = "";
  Object.assign(state, { tokens, policies: [], actions: [], reading: tokens.length ? run.open(tokens) : null });
  const unknown = run.encode(tokens).map((id) => id === 1);
  view.show(tokens, unknown, run.problem);
  const foreign = [...new Set(tokens.filter((_, at) => unknown[at]))];
  byId("unknown").hidden = !foreign.length;
  byId("unknown").textContent = `Unknown words, all read as the same unknown word: ${foreign.join(" \u00b7 ")}`;
  byId("demo").classList.toggle("empty", !tokens.length);
  if (!tokens.length) {
    byId("layers").replaceChildren();
    byId("live").textContent = "There are no words yet.";
    return;
  }
  if (run.reward) {
    const learned = run.learned(state.reading);
    const logProbs = run.read(state.reading, learned);
    state.chosen &&= !example;
    state.assumed = !example && !state.chosen;
    if (example) state.label = example.label;
    else if (state.assumed) state.label = logProbs.indexOf(Math.max(...logProbs));
    addPolicies(learned, example);
    state.actions = learned;
    scorePolicies();
  } else if (run.kind === "hm_lstm") {
    byId("layers").replaceChildren(...layersOf(tokens, run.classifier.parse(state.reading).boundaries));
  }
  update();
}

function addPolicies(learned, example) {
  const { run, reading, tokens } = state;
  const add = (name, actions) => {
    const [title, note] = POLICIES[name];
    state.policies.push({ name, title, note, actions });
  };
  add(run.pnet ? "learned" : "fixed", learned);
  for (const name of SHOWN_RULES[run.problem]) add(name, run.rule(name, reading));
  if (example?.gold?.length === tokens.length) add("gold", run.legal(example.gold));
  add("best", null);
}

// Compute the results of all policies for the right class, and begin a new search.
function scorePolicies() {
  const { run, reading, policies, label } = state;
  for (const policy of policies.filter((each) => each.actions && each.name !== "best")) score(policy);
  const best = policies.at(-1);
  best.actions = best.button = null;
  byId("label").value = String(label);
  byId("label-source").textContent = state.assumed ? "assumed" : state.chosen ? "as you say" : "as in the corpus";
  showTable();
  runSearch(best, run.search(reading, label));
}

function score(policy) {
  policy.logProbs = state.run.read(state.reading, policy.actions);
  policy.reward = total(state.run.terms(policy.actions, policy.logProbs, state.label));
}

async function runSearch(best, steps) {
  const number = ++search;
  let step;
  do {
    await new Promise((resolve) => setTimeout(resolve));
    if (number !== search) return;
    step = steps.next();
  } while (!step.done);
  const known = state.policies.filter((each) => each !== best); // a beam may miss what a policy finds
  score(Object.assign(best, { actions: step.value }));
  const better = known.reduce((one, other) => (other.reward > one.reward ? other : one));
  if (better.reward > best.reward) score(Object.assign(best, { actions: better.actions }));
  showTable();
  markPolicies(state.policies, state.actions);
}

function showTable() {
  const { tokens, run, policies } = state;
  const apply = (policy) => change(policy.actions);
  showPolicies(policies, { tokens, problem: run.problem, labels: run.labels, apply });
}

function toggle(at) {
  const actions = state.actions.map((action, other) => (other === at ? 1 - action : action));
  change(state.run.legal(actions));
}

function change(actions) {
  const begun = performance.now();
  state.actions = actions;
  update();
  document.body.getBoundingClientRect(); // lays the page out, so that its time counts
  milliseconds = performance.now() - begun;
}

// Show what follows from the actions.
function update() {
  const { run, reading, actions, label, policies } = state;
  state.logProbs = run.read(reading, actions);
  view.paint(actions);
  showVerdict(run.labels, state.logProbs);
  let spoken = `${byId("prediction").textContent} ${byId("probability").textContent}.`;
  if (run.reward) {
    showReward(run.terms(actions, state.logProbs, label), policies[0]);
    markPolicies(policies, actions);
    spoken += ` Reward ${byId("reward").textContent}, ${byId("change").textContent}.`;
  }
  byId("live").textContent = spoken;
}

function addTabs() {
  const tabOf = (run) =>
    element(
      "button",
      { type: "button", role: "tab", "aria-controls": "demo", onclick: () => chooseRun(run) },
      run.name.replaceAll("_", " "),
      element("small", {}, run.title),
    );
  byId("runs").replaceChildren(...runs.map(tabOf));
  byId("runs").hidden = runs.length < 2;
  if (runs.length > 1) byId("demo").setAttribute("role", "tabpanel");
  byId("runs").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const at = (runs.indexOf(state.run) + step + runs.length) % runs.length;
    chooseRun(runs[at]);
    byId("runs").children[at].focus();
  });
}

async function start() {
  const data = await unpack(byId("data").textContent);
  byId("data").remove();
  const lists = Object.fromEntries(Object.entries(data.wordLists).map(([name, words]) => [name, new Set(words)]));
  runs = Object.assign(
    data.runs.map((run) => new Run(run, lists)),
    { version: data.version },
  );
  addTabs();
  byId("text").addEventListener("input", () => chooseText(byId("text").value));
  byId("examples").addEventListener(
    "change",
    (event) => event.target.value && chooseExample(Number(event.target.value)),
  );
  byId("next").addEventListener("click", () => {
    const at = byId("examples").value === "" ? 0 : Number(byId("examples").value) + 1;
    chooseExample(at % state.run.examples.length);
  });
  byId("label").addEventListener("change", (event) => {
    Object.assign(state, { label: Number(event.target.value), assumed: false, chosen: true });
    scorePolicies();
    update();
  });
  byId("demo").hidden = false;
  chooseRun(runs[0]);
}

start().catch((error) => {
  byId("lead").textContent = `The demo does not run here: ${error.message}. It needs a browser of 2023 or later.`;
  throw error;
});

// For the browser's console: `hsEnv.runs()[0].tokenise("It's good")`.
globalThis.hsEnv = { runs: () => runs, state, lastChange: () => milliseconds };
