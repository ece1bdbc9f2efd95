// A run as the page uses it, and its policies: rules, the learned P-Net, and a search that knows the right class.

const RULES = {
  segmentation: {
    all_inside: (words) => words.map(() => 0),
    all_end: (words) => words.map(() => 1),
    every_k: (words) => words.map((_, at) => Number((at + 1) % Math.floor(Math.sqrt(words.length) + 0.5) === 0)),
    punctuation: (words, lists) => words.map((word) => Number(lists.punctuation.has(word))),
    function_words: (words, lists) =>
      words.map((word, at) => {
        const next = at + 1 < words.length && lists.functionWords.has(words[at + 1]);
        return Number((next && !lists.functionWords.has(word)) || lists.punctuation.has(word));
      }),
  },
  distillation: {
    all_retain: (words) => words.map(() => 1),
    content_words: (words, lists) =>
      words.map((word) => {
        const small = lists.functionWords.has(word) || lists.punctuation.has(word);
        return Number(!small || lists.negations.has(word));
      }),
    no_punctuation: (words, lists) => words.map((word) => Number(!lists.punctuation.has(word))),
  },
};

const EXHAUSTIVE = 10; // words up to which the search tries all actions
const WIDTH = 24; // prefixes that it keeps for longer sentences

class Run {
  constructor(saved, lists) {
    Object.assign(this, saved);
    this.lists = lists;
    this.ids = new Map(saved.words.map((word, id) => [word, id]));
    this.classifier = new CLASSIFIERS[saved.kind](saved);
    this.problem = this.classifier.problem;
    this.pnet = saved.policy?.layers ? new PNet(saved.policy.layers) : null;
  }

  tokenise(text) {
    return tokenise(text, this.tokenisation);
  }

  // Token ids; unknown words have 1, and so does the padding 0, which is no word.
  encode(tokens) {
    return tokens.map((token) => this.ids.get(token) || 1);
  }

  open(tokens) {
    return this.classifier.open(this.encode(tokens));
  }

  read(reading, actions) {
    return this.classifier.read(reading, actions);
  }

  // Replace illegal actions: the last word ends a phrase, and at least one word is retained.
  legal(actions) {
    const forced = this.problem === "segmentation" || !actions.includes(1);
    return actions.map((action, at) => (forced && at === actions.length - 1 ? 1 : action));
  }

  rule(name, reading) {
    const words = reading.ids.map((id) => this.words[id].toLowerCase());
    return this.legal(RULES[this.problem][name](words, this.lists));
  }

  learned(reading) {
    if (!this.pnet) return this.rule(this.policy.rule, reading);
    let memory = this.classifier.start(reading);
    const actions = reading.ids.map((_, at) => {
      const legal = at < reading.ids.length - 1 || (this.problem === "distillation" && memory.retained);
      const action = legal ? Number(this.pnet.logit(this.classifier.observe(reading, memory, at)) > 0) : 1;
      memory = this.classifier.advance(reading, memory, at, action);
      return action;
    });
    return actions;
  }

  terms(actions, logProbs, label) {
    return rewardTerms(this.reward, actions, logProbs, label);
  }

  // Search for the actions of the greatest reward, yielding after each word. Prefixes are kept by the reward that they
  // would have if the sentence ended there; up to EXHAUSTIVE words all are.
  *search(reading, label) {
    const { classifier } = this;
    const length = reading.ids.length;
    const width = length <= EXHAUSTIVE ? 2 ** (length - 1) : WIDTH;
    const scored = (actions, memory) => {
      const reward = total(this.terms(actions, classifier.logProbs(memory), label));
      return { actions, memory, reward };
    };
    let kept = [{ actions: [], memory: classifier.start(reading) }];
    for (let at = 0; at < length - 1; at++) {
      const open = kept.flatMap(({ actions, memory, closed }) => {
        const after = closed?.memory ?? classifier.advance(reading, memory, at, 1);
        return [
          { actions: [...actions, 0], memory },
          { actions: [...actions, 1], memory: after },
        ];
      });
      for (const prefix of open) {
        const memory = classifier.advance(reading, prefix.memory, at + 1, 1);
        prefix.closed = scored([...prefix.actions, 1], memory);
      }
      kept = open.sort((a, b) => b.closed.reward - a.closed.reward).slice(0, width);
      yield;
    }
    const finished = kept.map((each) => each.closed ?? scored([1], classifier.advance(reading, each.memory, 0, 1)));
    if (this.problem === "distillation") {
      const some = kept.filter(({ actions }) => actions.includes(1));
      finished.push(...some.map(({ actions, memory }) => scored([...actions, 0], memory)));
    }
    return finished.reduce((best, each) => (each.reward > best.reward ? each : best)).actions;
  }
}
