// What the page says about each kind of classifier. Terms are marked by asterisks where they are explained.

const WORDS = "A *word* here is a word, a punctuation mark, or an ending such as n\u2019t.";

const TEXTS = {
  hs_lstm: {
    headline: "Where does a phrase end?",
    lead:
      "A small neural network reads a sentence phrase by phrase and {verdict}. Move the cuts, and watch it change" +
      " its mind.",
    stage: "Phrases",
    explain: `${WORDS} A *phrase* is a group of neighbouring words that the network reads as one unit.`,
    hint: "Click between two words to cut there, or to join them. With the keyboard: arrow keys move, space cuts.",
    group: "Cuts between the words. Arrow keys move, space cuts or joins.",
    policies: "A *policy* decides after each word whether the phrase ends there. Choose one to take over its cuts.",
    reward:
      "The *reward*, from which a policy learns, is high if the right class is probable and the phrases are " +
      "neither too many nor too few.",
  },
  id_lstm: {
    headline: "Which words does it need?",
    lead:
      "A small neural network reads a sentence without its deleted words and {verdict}. Delete words, and watch it " +
      "change its mind.",
    stage: "Words",
    explain: `${WORDS} The network never sees a deleted word; at least one word is kept.`,
    hint: "Click a word to delete it, or to keep it again. With the keyboard: arrow keys move, space deletes.",
    group: "Words; pressed ones are kept. Arrow keys move, space deletes or keeps.",
    policies: "A *policy* decides at each word whether it is kept. Choose one to take over its decisions.",
    reward:
      "The *reward*, from which a policy learns, is high if the right class is probable and many words are deleted.",
  },
  plain_lstm: {
    headline: "Word by word",
    lead:
      "A small neural network reads a sentence word by word and {verdict}. It knows no phrases: change the words," +
      " and watch it change its mind.",
    stage: "Words",
    explain: WORDS,
    hint: "",
    group: "Words",
  },
  hm_lstm: {
    headline: "Where do its phrases end?",
    lead: "A small neural network finds the phrases of a sentence by itself, layer by layer, and {verdict}.",
    stage: "Phrases by layer",
    explain: `${WORDS} A *phrase* of a layer ends where the boundary detectors of this layer and of those below it fire.`,
    hint: "This network decides the boundaries itself; nothing can be cut by hand.",
    group: "Words",
  },
};

// What a network says of a sentence, such as "calls it negative or positive".
function verdictOf(labels) {
  if (labels.length > 4) return `puts it into one of ${labels.length} classes`;
  return `calls it ${labels.slice(0, -1).join(", ")} or ${labels.at(-1)}`;
}

const POLICIES = {
  learned: ["Learned", "found its decisions from rewards alone"],
  fixed: ["Fixed", "the rule that the run was trained with"],
  all_inside: ["One phrase", "the whole sentence"],
  all_end: ["Single words", "cuts after every word"],
  function_words: ["Function words", "words such as the, of, not open a phrase"],
  gold: ["Gold", "phrases that the corpus knows"],
  all_retain: ["All words", "deletes nothing"],
  content_words: ["Content words", "deletes words such as the, of, but no negation"],
  best: ["Best found", "a search that knows the right class"],
};

const SHOWN_RULES = {
  segmentation: ["function_words", "all_end", "all_inside"],
  distillation: ["all_retain", "content_words"],
};

// What is computed in the page, as paragraphs.
function notesOf(run, version) {
  const left = run.known - (run.words.length - 2);
  const formula = run.reward && run.problem === "segmentation" && run.reward.name === "hs_lstm";
  return [
    `${run.title}, trained on ${run.corpus}, classes ${run.labels.join(", ")}.` +
      (run.tested ? ` Of ${count(run.tested, "test sentence")}, ${percent(run.accuracy)} get the right class.` : ""),
    `It knows ${count(run.words.length - 2, "word")}` +
      (left > 0
        ? `, the most frequent of ${run.known.toLocaleString("en")}; the rest was left out to keep this page small. `
        : ". ") +
      "It reads every word that it does not know, underlined with dots, as one and the same unknown word.",
    ...(formula ? ["The reward is log P(right class) \u2212 \u03b3 (n/L + 0.1 L/n) for n phrases in L words."] : []),
    ...(run.reward
      ? [
          `The search tries all decisions for up to ${EXHAUSTIVE} words. For longer sentences it keeps the ` +
            `${WIDTH} best beginnings.`,
        ]
      : []),
    `Tokenisation, network and reward are computed by a script in this page, as the Python package hs-env ` +
      `${version} computes them. Nothing you type leaves the page.`,
  ];
}
