// jax-js as a peer: matrix products and the LoRA step of a Llama-shaped decoder as one jitted function
// of (adapter, moments, weights, batch). jax-js counts references: an array is used up by a call unless
// it is passed as `.ref`.
// Letters: B rows, T tokens, C width, H heads, K key/value heads, D head width.

/**
 * @param {'webgpu' | 'wasm'} device `navigator.gpu` must be there before; wasm uses the threads of `Worker`
 * @returns the contender
 */
export async function openJax(device) {
  const jax = await import('@jax-js/jax');
  const devices = await jax.init(device);
  if (!devices.includes(device)) throw new Error(`jax-js has no device ${device} here.`);
  // The device of new arrays is one setting for all: it is made before each call.
  const here = (prepare) =>
    (...args) => {
      jax.defaultDevice(device);
      return prepare(jax, ...args);
    };
  if (device === 'wasm')
    return {
      name: 'jax-js wasm',
      isProcessor: true,
      loraStep: here((_, problem) => prepareLoraStep(jax, problem, device)),
    };
  return {
    name: 'jax-js',
    matmul: here(prepareMatmul),
    attention: here(prepareAttention),
    loraStep: here((_, problem) => prepareLoraStep(jax, problem, device)),
  };
}

/** Work is lazy, and a result that is disposed of before it was waited for is never computed: all are kept to the end. */
function repeated({ blockUntilReady, tree }, run) {
  return async (repeats) => {
    const results = Array.from({ length: repeats }, run);
    await blockUntilReady(results);
    tree.dispose(results);
  };
}

/** (m, k) times (k, n). @returns a function that runs it `repeats` times and waits */
function prepareMatmul(jax, m, k, n, operands) {
  const { numpy: np, jit } = jax;
  const a = np.array(operands.a).reshape([m, k]);
  const b = np.array(operands.b).reshape([k, n]);
  const product = jit((x, y) => np.matmul(x, y));
  return repeated(jax, () => product(a.ref, b.ref));
}

/** q (B * T, H * D), k and v (B * T, K * D); causal, as jax.nn has it. */
function prepareAttention(jax, { B, T, H, K, D }, operands) {
  const { numpy: np, nn, jit, grad, tree } = jax;
  const array = (data, heads) => np.array(data).reshape([B, T, heads, D]);
  const inputs = {
    q: array(operands.q, H),
    k: array(operands.k, K),
    v: array(operands.v, K),
  };
  const dOut = array(operands.dOut, H);
  const attend = ({ q, k, v }) => nn.dotProductAttention(q, k, v, { isCausal: true });
  const forward = jit(attend);
  const training = jit((given, weights) =>
    grad((wanted, factors) => np.sum(attend(wanted).mul(factors)))(given, weights),
  );
  const runTraining = () => training(tree.ref(inputs), dOut.ref);
  return {
    forward: repeated(jax, () => forward(tree.ref(inputs))),
    training: repeated(jax, runTraining),
    async results() {
      const out = await forward(tree.ref(inputs)).data();
      const { q, k, v } = runTraining();
      return { out, dQ: await q.data(), dK: await k.data(), dV: await v.data() };
    },
    dispose() {
      tree.dispose([inputs, dOut]);
    },
  };
}

function prepareLoraStep(jax, { config, weights, lora, optimizer, rotary }, device) {
  const { numpy: np, nn, jit, valueAndGrad, tree, blockUntilReady } = jax;
  const { layers, H, K, D, C, epsilon, loraScale, T, B } = config;
  const { learningRate, beta1, beta2, maxGradNorm } = optimizer;
  const array = ({ shape, data }) => np.array(data).reshape(shape);
  const names = [...lora.keys()];
  const zeros = () => names.map((name) => np.zeros(lora.get(name).shape));

  const frozen = Object.fromEntries([...weights].map(([name, value]) => [name, array(value)]));
  frozen.cos = np.array(rotary.cos).reshape([1, T, 1, D]);
  frozen.sin = np.array(rotary.sin).reshape([1, T, 1, D]);
  let values = names.map((name) => array(lora.get(name)));
  let m = zeros();
  let v = zeros();

  /** Uses up its parameters and `x`; weights are taken by reference. */
  function loss(parameters, w, ids, targets) {
    const adapter = Object.fromEntries(names.map((name, index) => [name, parameters[index]]));
    const linear = (x, weight) => np.matmul(x, weight.transpose());
    const norm = (x, weight) => {
      const scale = np.sqrt(np.mean(np.square(x.ref), -1, { keepdims: true }).add(epsilon));
      return x.div(scale).mul(weight.ref);
    };
    const withLora = (x, path) => {
      const low = linear(x.ref, adapter[`${path}.lora_A`]);
      const delta = linear(low, adapter[`${path}.lora_B`]).mul(loraScale);
      return linear(x, w[`${path}.weight`].ref).add(delta);
    };
    const rotate = (x) => {
      const low = x.ref.slice([], [], [], [0, D / 2]);
      const high = x.ref.slice([], [], [], [D / 2, D]);
      const turned = np.concatenate([high.mul(-1), low], -1);
      return x.mul(w.cos.ref).add(turned.mul(w.sin.ref));
    };
    const attention = (x, at) => {
      const q = rotate(withLora(x.ref, `${at}.q_proj`).reshape([B, T, H, D]));
      const k = rotate(linear(x.ref, w[`${at}.k_proj.weight`].ref).reshape([B, T, K, D]));
      const value = withLora(x, `${at}.v_proj`).reshape([B, T, K, D]);
      const mixed = nn.dotProductAttention(q, k, value, { isCausal: true });
      return linear(mixed.reshape([B * T, H * D]), w[`${at}.o_proj.weight`].ref);
    };

    const embedding = w['model.embed_tokens.weight'];
    let x = np.take(embedding.ref, ids, 0);
    for (let i = 0; i < layers; i++) {
      const at = `model.layers.${i}`;
      const attended = attention(
        norm(x.ref, w[`${at}.input_layernorm.weight`]),
        `${at}.self_attn`,
      );
      x = x.add(attended);
      const y = norm(x.ref, w[`${at}.post_attention_layernorm.weight`]);
      const gate = nn.silu(linear(y.ref, w[`${at}.mlp.gate_proj.weight`].ref));
      const up = linear(y, w[`${at}.mlp.up_proj.weight`].ref);
      x = x.add(linear(gate.mul(up), w[`${at}.mlp.down_proj.weight`].ref));
    }
    const last = norm(x, w['model.norm.weight'])
      .reshape([B, T, C])
      .slice([], [0, T - 1], [])
      .reshape([B * (T - 1), C]);
    const output = w['lm_head.weight'] ?? embedding;
    const wanted = np.sum(last.ref.mul(np.take(output.ref, targets, 0)), -1);
    const logits = linear(last, output.ref);
    const result = np.mean(nn.logsumexp(logits, -1).sub(wanted));
    tree.dispose(w);
    return result;
  }

  const update = jit((parameters, m, v, w, ids, targets, correction1, correction2) => {
    const [value, grads] = valueAndGrad(loss)(tree.ref(parameters), w, ids, targets);
    const norm = np.sqrt(
      grads.map((grad) => np.sum(np.square(grad.ref))).reduce((sum, part) => sum.add(part)),
    );
    const factor = np.minimum(np.reciprocal(norm.add(1e-6)).mul(maxGradNorm), 1);
    const next = { parameters: [], m: [], v: [] };
    parameters.forEach((parameter, i) => {
      const grad = grads[i].mul(factor.ref);
      const m1 = m[i].mul(beta1).add(grad.ref.mul(1 - beta1));
      const v1 = v[i].mul(beta2).add(np.square(grad).mul(1 - beta2));
      const scale = np.sqrt(v1.ref.mul(correction2.ref)).add(optimizer.epsilon);
      const change = m1.ref.mul(correction1.ref).div(scale).mul(learningRate);
      next.parameters.push(parameter.sub(change));
      next.m.push(m1);
      next.v.push(v1);
    });
    factor.dispose();
    correction1.dispose();
    correction2.dispose();
    return [value, next];
  });

  let count = 0;
  return {
    parameterCount: values.reduce((sum, { size }) => sum + size, 0),
    async step({ ids, targets }) {
      jax.defaultDevice(device);
      count++;
      const [value, next] = update(
        values,
        m,
        v,
        tree.ref(frozen),
        np.array(ids),
        np.array(targets),
        np.array([1 / (1 - beta1 ** count)]),
        np.array([1 / (1 - beta2 ** count)]),
      );
      ({ parameters: values, m, v } = next);
      const [number] = await value.data();
      // The step is over when its last update is, not when the loss is known.
      await blockUntilReady(v.at(-1));
      return number;
    },
    dispose() {
      tree.dispose([frozen, values, m, v]);
    },
  };
}
