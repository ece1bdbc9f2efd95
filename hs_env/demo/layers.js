// Matrices, LSTM, softmax and P-Net. Vectors are Float64Array, weights Float32Array.

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// A matrix whose rows are float32, or 8 bits with one scale per row; a row is restored when it is first read.
class Matrix {
  constructor(saved) {
    const { shape, values } = saved.int8 ?? saved;
    [this.rows, this.columns] = shape;
    this.values = values;
    this.scale = saved.scale?.values;
    this.restored = new Map();
  }

  row(at) {
    if (!this.restored.has(at)) {
      const row = this.values.subarray(at * this.columns, (at + 1) * this.columns);
      this.restored.set(at, this.scale ? Float32Array.from(row, (value) => value * this.scale[at]) : row);
    }
    return this.restored.get(at);
  }

  // Add x times the rows from `first` on to `sums`.
  addTo(sums, x, first = 0) {
    for (let i = 0; i < x.length; i++) {
      const row = this.row(first + i);
      const factor = x[i];
      if (factor !== 0) for (let j = 0; j < row.length; j++) sums[j] += factor * row[j];
    }
    return sums;
  }

  // The product of the matrix (outputs, inputs) and x, plus a bias.
  times(x, bias) {
    return Float64Array.from({ length: this.rows }, (_, at) => {
      const row = this.row(at);
      let sum = bias ? bias[at] : 0;
      for (let j = 0; j < row.length; j++) sum += row[j] * x[j];
      return sum;
    });
  }
}

class Lstm {
  constructor(weights, name) {
    this.input = new Matrix(weights[`${name}.weight_ih`]);
    this.recurrent = new Matrix(weights[`${name}.weight_hh`]);
    this.bias = weights[`${name}.bias`].values;
    this.zero = { c: new Float64Array(this.recurrent.rows), h: new Float64Array(this.recurrent.rows) };
  }

  project(x) {
    return this.input.addTo(Float64Array.from(this.bias), x);
  }

  step(projected, state) {
    const sums = this.recurrent.addTo(Float64Array.from(projected), state.h);
    return cell(sums, state.c);
  }
}

// One LSTM step from its sums, in the order input, forget, output, candidate.
function cell(sums, before) {
  const d = before.length;
  const c = new Float64Array(d);
  const h = new Float64Array(d);
  for (let j = 0; j < d; j++) {
    c[j] = sigmoid(sums[d + j]) * before[j] + sigmoid(sums[j]) * Math.tanh(sums[3 * d + j]);
    h[j] = sigmoid(sums[2 * d + j]) * Math.tanh(c[j]);
  }
  return { c, h };
}

// Class log-probabilities of a representation.
class Softmax {
  constructor(weights) {
    this.weight = new Matrix(weights["output.weight"]);
    this.bias = weights["output.bias"].values;
  }

  logProbs(h) {
    const logits = this.weight.times(h, this.bias);
    const most = Math.max(...logits);
    const sum = Math.log(logits.reduce((total, each) => total + Math.exp(each - most), 0));
    return Array.from(logits, (each) => each - most - sum);
  }
}

// The logit of the last action, from an observation.
class PNet {
  constructor(layers) {
    const names = [...new Set(Object.keys(layers).map((name) => name.split(".")[0]))].sort((a, b) => a - b);
    this.layers = names.map((name) => [new Matrix(layers[`${name}.weight`]), layers[`${name}.bias`].values]);
  }

  logit(observation) {
    let x = observation;
    for (const [at, [weight, bias]] of this.layers.entries()) x = weight.times(at ? x.map(Math.tanh) : x, bias);
    return x[0];
  }
}
