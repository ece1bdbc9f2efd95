// Rewards of finished sentences, as in the folder rewards/. `described` of hs_env/demo/rewards.py made their JSON
// values.

// Each reward maps the facts about a sentence to named terms.
const REWARDS = {
  log_likelihood: ({ gold }) => ({ log_likelihood: gold }),
  accuracy: ({ gold, logProbs }) => ({ accuracy: Number(gold === Math.max(...logProbs)) }),
  margin: ({ gold, label, logProbs }) => ({ margin: gold - Math.max(...logProbs.filter((_, at) => at !== label)) }),
  phrases: ({ closing, length }) => ({ phrases: closing / length }),
  deletions: ({ closing, length }) => ({ deletions: (length - closing) / length }),
  transitions: ({ changes, length }) => ({ transitions: changes / length }),
  hs_lstm: ({ gold, closing, length }, { gamma }) => ({
    log_likelihood: gold,
    structure: -gamma * (closing / length + (0.1 * length) / closing),
  }),
  id_lstm: ({ gold, closing, length }, { gamma }) => ({
    log_likelihood: gold,
    deletion: (gamma * (length - closing)) / length,
  }),
  deletion_rate: ({ closing, length }, { multiplier }) => ({
    deletion_rate: (multiplier * (length - closing)) / length,
  }),
  boundary_rate: ({ closing, length }, { multiplier, target }) => ({
    boundary_rate: -multiplier * Math.abs(closing / length - target),
  }),
  phrase_length: ({ closing, length }, { multiplier, target }) => ({
    phrase_length: -multiplier * Math.abs(length / closing - target),
  }),
};

// The terms of a reward by name, given actions, class log-probabilities and the right class.
function rewardTerms(reward, actions, logProbs, label) {
  const changes = actions.filter((action, at) => at && action !== actions[at - 1]).length;
  const closing = actions.filter(Boolean).length;
  return termsOf(reward, { gold: logProbs[label], label, logProbs, closing, changes, length: actions.length });
}

function termsOf(reward, facts) {
  if (reward.sum) {
    const terms = {};
    for (const part of reward.sum) {
      for (const [name, value] of Object.entries(termsOf(part, facts))) terms[name] = (terms[name] ?? 0) + value;
    }
    return terms;
  }
  if ("times" in reward) {
    const terms = Object.entries(termsOf(reward.of, facts));
    return Object.fromEntries(terms.map(([name, value]) => [name, reward.times * value]));
  }
  const gamma = reward.gamma ?? 0.1 * facts.logProbs.length; // the default of HS-LSTM
  return REWARDS[reward.name](facts, { ...reward, gamma });
}

const total = (terms) => Object.values(terms).reduce((sum, each) => sum + each, 0);
