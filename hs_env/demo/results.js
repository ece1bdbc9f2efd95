// The verdict, the reward and the table of policies.

const MOST_CLASSES = 6; // classes whose probabilities are shown

function showVerdict(labels, logProbs) {
  const order = labels.map((_, at) => at).sort((a, b) => logProbs[b] - logProbs[a]);
  const best = order[0];
  byId("prediction").textContent = labels[best];
  byId("probability").textContent = percent(Math.exp(logProbs[best]));
  const shown = labels.length > MOST_CLASSES ? order.slice(0, MOST_CLASSES) : labels.map((_, at) => at);
  const list = byId("classes");
  if (list.children.length !== shown.length) {
    const bar = () =>
      element(
        "li",
        {},
        element("span"),
        element("span", { class: "bar" }, element("i")),
        element("span", { class: "number" }),
      );
    list.replaceChildren(...shown.map(bar));
  }
  shown.forEach((label, at) => {
    const [name, bar, number] = list.children[at].children;
    name.textContent = labels[label];
    number.textContent = percent(Math.exp(logProbs[label]));
    bar.firstChild.style.width = percent(Math.exp(logProbs[label]));
    list.children[at].classList.toggle("best", label === best);
  });
}

const TERM_TEXTS = {
  log_likelihood: "log-probability of the right class",
  structure: "number of phrases",
  deletion: "deleted words",
  deletion_rate: "deleted words",
  boundary_rate: "number of phrases",
  phrase_length: "length of phrases",
};

// Show a reward beside that of the run's own policy.
function showReward(terms, own) {
  const reward = total(terms);
  byId("reward").textContent = plain(reward);
  const change = reward - own.reward;
  const same = Math.abs(change) < 0.0005;
  byId("change").textContent = `${same ? "as" : `${signed(change)} compared with`} the ${own.name} policy`;
  byId("change").className = `number change ${same ? "" : change > 0 ? "better" : "worse"}`;
  const parts = Object.entries(terms).map(
    ([name, value]) => `${plain(value)} (${TERM_TEXTS[name] ?? name.replaceAll("_", " ")})`,
  );
  byId("parts").textContent = `= ${parts.join(" +\u00a0")}`.replaceAll("+\u00a0\u2212", "\u2212\u00a0");
}

// Build the rows of the table. A policy has a title, a note, actions (none while it is computed), and its results.
function showPolicies(policies, { tokens, problem, labels, apply }) {
  const focused = policies.findIndex(({ button }) => button && button === document.activeElement);
  const best = Math.max(...policies.filter((each) => each.actions).map((each) => each.reward));
  const rowOf = (policy) => {
    const name = element("th", { scope: "row" });
    if (!policy.actions) {
      name.append(policy.title, element("small", {}, policy.note));
      return element("tr", {}, name, element("td", { colSpan: 3, class: "hint" }, "searching\u2026"));
    }
    policy.button = element("button", { type: "button", onclick: () => apply(policy) }, policy.title);
    name.append(policy.button, element("small", {}, policy.note));
    const label = policy.logProbs.indexOf(Math.max(...policy.logProbs));
    const probability = element("span", { class: "number" }, percent(Math.exp(policy.logProbs[label])));
    const isBest = policy.reward > best - 5e-7;
    return element(
      "tr",
      {},
      name,
      element("td", { class: "reads" }, ...readAs(tokens, policy.actions, problem)),
      element("td", { class: "class" }, labels[label], " ", probability),
      element(
        "td",
        { class: isBest ? "number best" : "number" },
        plain(policy.reward),
        isBest ? hidden(", the greatest") : "",
      ),
    );
  };
  byId("policies").replaceChildren(...policies.map(rowOf));
  if (focused >= 0) policies[focused].button?.focus();
}

// Mark the policies that decide as the visitor does now.
function markPolicies(policies, current) {
  for (const { actions, button } of policies.filter((each) => each.button)) {
    const same = actions.every((action, at) => action === current[at]);
    button.setAttribute("aria-pressed", String(same));
    button.closest("tr").classList.toggle("current", same);
  }
}
