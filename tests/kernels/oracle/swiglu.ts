/** silu(gate) * up in float64, and its gradients. */

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

export function swiglu(gate: Float64Array, up: Float64Array): Float64Array {
  return gate.map((g, i) => g * sigmoid(g) * up[i]);
}

export function swigluGradients(dOut: Float64Array, gate: Float64Array, up: Float64Array) {
  return {
    dGate: gate.map((g, i) => dOut[i] * up[i] * sigmoid(g) * (1 + g * (1 - sigmoid(g)))),
    dUp: gate.map((g, i) => dOut[i] * g * sigmoid(g)),
  };
}
