// The classifiers. A reading of a sentence caches what does not depend on the actions.
// HS-LSTM and ID-LSTM have a memory per word: `start`, `advance`, `observe`, `logProbs`; see hs_env/models/encoder.py.

const joined = (...parts) => Float64Array.from(parts.flatMap((part) => Array.from(part)));

class Classifier {
  constructor(run) {
    this.vectors = new Matrix(run.weights["words.weight"]);
    this.softmax = new Softmax(run.weights);
  }
}

class Structured extends Classifier {
  // The class log-probabilities under given actions, 0 or 1 per word.
  read(reading, actions) {
    let memory = this.start(reading);
    actions.forEach((action, at) => (memory = this.advance(reading, memory, at, action)));
    return this.logProbs(memory);
  }
}

class HsLstm extends Structured {
  constructor(run) {
    super(run);
    this.wordLevel = new Lstm(run.weights, "word_level");
    this.phraseLevel = new Lstm(run.weights, "phrase_level");
    this.problem = "segmentation";
  }

  open(ids) {
    const projected = ids.map((id) => this.wordLevel.project(this.vectors.row(id)));
    return { ids, projected, spans: ids.map(() => []), inputs: new Map() };
  }

  start() {
    return { phrases: this.phraseLevel.zero, first: 0 };
  }

  // The word-level state after the words from `first` to `at`.
  words(reading, first, at) {
    const states = reading.spans[first];
    while (states.length <= at - first) {
      const before = states.at(-1) ?? this.wordLevel.zero;
      states.push(this.wordLevel.step(reading.projected[first + states.length], before));
    }
    return states[at - first];
  }

  observe(reading, { phrases, first }, at) {
    const words = this.words(reading, first, at);
    return joined(phrases.c, phrases.h, words.c, words.h);
  }

  advance(reading, memory, at, action) {
    if (!action && at < reading.ids.length - 1) return memory;
    const key = memory.first * reading.ids.length + at;
    if (!reading.inputs.has(key)) {
      reading.inputs.set(key, this.phraseLevel.project(this.words(reading, memory.first, at).h));
    }
    return { phrases: this.phraseLevel.step(reading.inputs.get(key), memory.phrases), first: at + 1 };
  }

  logProbs(memory) {
    return this.softmax.logProbs(memory.phrases.h);
  }
}

class IdLstm extends Structured {
  constructor(run) {
    super(run);
    this.wordLevel = new Lstm(run.weights, "word_level");
    this.problem = "distillation";
  }

  open(ids) {
    const vectors = ids.map((id) => this.vectors.row(id));
    return { ids, vectors, projected: vectors.map((vector) => this.wordLevel.project(vector)) };
  }

  start() {
    return { state: this.wordLevel.zero, retained: false };
  }

  observe(reading, { state }, at) {
    return joined(state.c, state.h, reading.vectors[at]);
  }

  advance(reading, memory, at, action) {
    const forced = !memory.retained && at === reading.ids.length - 1;
    if (!action && !forced) return memory;
    return { state: this.wordLevel.step(reading.projected[at], memory.state), retained: true };
  }

  logProbs(memory) {
    return this.softmax.logProbs(memory.state.h);
  }
}

class PlainLstm extends Classifier {
  constructor(run) {
    super(run);
    this.wordLevel = new Lstm(run.weights, "word_level");
  }

  open(ids) {
    return { ids };
  }

  read({ ids }) {
    const step = (state, id) => this.wordLevel.step(this.wordLevel.project(this.vectors.row(id)), state);
    return this.softmax.logProbs(ids.reduce(step, this.wordLevel.zero).h);
  }
}

// HM-LSTM: `parse` gives the log-probabilities, and the boundaries after each word, one per layer but the top one.
class HmLstm extends Classifier {
  constructor(run) {
    super(run);
    const saved = run.weights;
    const numbers = [...Array(run.config.layers).keys()];
    this.input = new Matrix(saved["levels.weight_in"]);
    this.layers = numbers.map((number) => ({
      weight: new Matrix(saved[`levels.weights.${number}`]),
      bias: saved[`levels.biases.${number}`].values,
      gain: saved[`levels.gains.${number}`]?.values,
    }));
    this.width = run.config.hidden_size;
    this.soft = run.config.boundary === "soft";
    this.slope = saved["levels.slope_buffer"].values[0];
    this.gates = new Matrix(saved["gates.gates.weight"]);
    this.embeddings = new Matrix(saved["gates.embeddings.weight"]);
  }

  open(ids) {
    return { ids };
  }

  read(reading) {
    return this.parse(reading).logProbs;
  }

  parse({ ids }) {
    const zero = () => new Float64Array(this.width);
    let states = this.layers.map(() => ({ c: zero(), h: zero(), z: 0 }));
    const boundaries = ids.map((id, at) => {
      states = this.step(this.vectors.row(id), states, at === ids.length - 1);
      return states.slice(0, -1).map(({ z }) => Number(z > 0.5));
    });
    const h = joined(...states.map((state) => state.h));
    const gates = this.gates.times(h).map(sigmoid);
    const output = this.embeddings.times(h.map((each, at) => each * gates[Math.floor(at / this.width)]));
    return { boundaries, logProbs: this.softmax.logProbs(output.map((each) => Math.max(each, 0))) };
  }

  // The states of all layers after a word; `last` forces a boundary in each layer but the top one.
  step(vector, before, last) {
    const after = [];
    for (const [number, layer] of this.layers.entries()) {
      const own = before[number].z;
      const below = number ? after[number - 1].z : 1;
      const sums = this.sums(layer, number, vector, before, after, own, below);
      const top = number === this.layers.length - 1;
      const z = top ? 0 : last ? 1 : this.boundary(sums[4 * this.width]);
      after.push({ ...this.mixed(sums, before[number], own, below), z });
    }
    return after;
  }

  // The summed inputs of a layer, normalised if it has a gain, plus the bias.
  sums(layer, number, vector, before, after, own, below) {
    const sums = layer.weight.addTo(new Float64Array(layer.bias.length), before[number].h);
    const top = number === this.layers.length - 1;
    if (!number) this.input.addTo(sums, vector);
    if (!top && own)
      layer.weight.addTo(
        sums,
        before[number + 1].h.map((each) => each * own),
        this.width,
      );
    if (number && below) {
      layer.weight.addTo(
        sums,
        after[number - 1].h.map((each) => each * below),
        top ? this.width : 2 * this.width,
      );
    }
    if (!layer.gain) return sums.map((each, at) => each + layer.bias[at]);
    const mean = sums.reduce((total, each) => total + each, 0) / sums.length;
    const variance = sums.reduce((total, each) => total + (each - mean) ** 2, 0) / sums.length;
    const scale = 1 / Math.sqrt(variance + 1e-5);
    return sums.map((each, at) => (each - mean) * scale * layer.gain[at] + layer.bias[at]);
  }

  // The state of a layer after UPDATE, COPY or FLUSH; soft boundaries mix the three.
  mixed(sums, before, own, below) {
    const d = this.width;
    const copy = (1 - own) * (1 - below);
    const c = before.c.map((each, j) => {
      const kept = copy + (1 - own) * below * sigmoid(sums[d + j]);
      return (1 - copy) * sigmoid(sums[j]) * Math.tanh(sums[3 * d + j]) + kept * each;
    });
    const h = before.h.map((each, j) => (1 - copy) * sigmoid(sums[2 * d + j]) * Math.tanh(c[j]) + copy * each);
    return { c, h };
  }

  boundary(x) {
    const value = Math.min(1, Math.max(0, (this.slope * x + 1) / 2));
    return this.soft ? value : Number(value > 0.5);
  }
}

const CLASSIFIERS = { hs_lstm: HsLstm, id_lstm: IdLstm, plain_lstm: PlainLstm, hm_lstm: HmLstm };
