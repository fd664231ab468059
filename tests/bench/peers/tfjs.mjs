// TensorFlow.js as a peer: matrix products and the LoRA step of a Llama-shaped decoder, written as its
// own users would: variableGrads, tidy, no fused kernels beyond what the backend has.
// Letters: B rows, T tokens, C width, H heads, K key/value heads, G = H / K, D head width.

/**
 * The bundle for Node has no gradients: this file is read by the bench's loader, which takes the sources.
 * @returns the contender; `navigator.gpu` must be there before.
 */
export async function openTfjs() {
  const tf = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-core/dist/register_all_gradients');
  await import('@tensorflow/tfjs-backend-webgpu');
  await tf.setBackend('webgpu');
  await tf.ready();
  return {
    name: 'tfjs-backend-webgpu',
    version: tf.version_core,
    matmul: (m, k, n, operands) => prepareMatmul(tf, m, k, n, operands),
    attention: (shape, operands) => prepareAttention(tf, shape, operands),
    loraStep: (problem) => prepareLoraStep(tf, problem),
  };
}

/** (m, k) times (k, n). @returns a function that runs it `repeats` times and waits */
function prepareMatmul(tf, m, k, n, operands) {
  const a = tf.tensor(operands.a, [m, k]);
  const b = tf.tensor(operands.b, [k, n]);
  return async (repeats) => {
    for (let i = 1; i < repeats; i++) tf.dispose(tf.matMul(a, b));
    // Reading one number of the last product waits for all.
    const corner = tf.tidy(() => tf.slice(tf.matMul(a, b), [0, 0], [1, 1]));
    await corner.data();
    corner.dispose();
  };
}

/**
 * Queries of one key/value head stand below each other, so that no key is copied.
 * @returns (1, 1, G * T, T), added to the scores
 */
function causalMask(tf, G, T) {
  return tf.tidy(() => {
    const above = tf.sub(1, tf.linalg.bandPart(tf.ones([T, T]), -1, 0));
    return tf.reshape(tf.tile(tf.mul(above, -1e30), [G, 1]), [1, 1, G * T, T]);
  });
}

/** q (B, K, G * T, D), k and v (B, K, T, D). */
function attend(tf, q, k, v, causal) {
  const scores = tf.add(tf.mul(tf.matMul(q, k, false, true), q.shape[3] ** -0.5), causal);
  return tf.matMul(tf.softmax(scores), v);
}

/** q (B * T, H * D), k and v (B * T, K * D). */
function prepareAttention(tf, { B, T, H, K, D }, operands) {
  const causal = causalMask(tf, H / K, T);
  const q = tf.tensor(operands.q, [B * T, H * D]);
  const k = tf.tensor(operands.k, [B * T, K * D]);
  const v = tf.tensor(operands.v, [B * T, K * D]);
  const dOut = tf.tensor(operands.dOut, [B * T, H * D]);
  const heads = (x, count) => tf.transpose(tf.reshape(x, [B, T, count, D]), [0, 2, 1, 3]);
  const forward = (q, k, v) => {
    const grouped = tf.reshape(heads(q, H), [B, K, (H / K) * T, D]);
    const mixed = tf.reshape(attend(tf, grouped, heads(k, K), heads(v, K), causal), [B, H, T, D]);
    return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [B * T, H * D]);
  };
  const gradients = tf.grads(forward);
  const repeated = (run) => async (repeats) => {
    for (let i = 1; i < repeats; i++) tf.dispose(tf.tidy(run));
    // Reading one number of the last result waits for all.
    const corner = tf.tidy(() => tf.slice([run()].flat()[0], [0, 0], [1, 1]));
    await corner.data();
    corner.dispose();
  };
  const runForward = () => forward(q, k, v);
  const runTraining = () => gradients([q, k, v], dOut);
  return {
    forward: repeated(runForward),
    training: repeated(runTraining),
    async results() {
      const all = tf.tidy(() => [runForward(), ...runTraining()]);
      const [out, dQ, dK, dV] = await Promise.all(all.map((tensor) => tensor.data()));
      tf.dispose(all);
      return { out, dQ, dK, dV };
    },
    dispose() {
      tf.dispose([causal, q, k, v, dOut]);
    },
  };
}

function prepareLoraStep(tf, { config, weights, lora, optimizer, rotary }) {
  const { layers, H, K, D, C, epsilon, loraScale, R, T, B } = config;
  const G = H / K;
  const w = Object.fromEntries(
    [...weights].map(([name, { shape, data }]) => [name, tf.tensor(data, shape)]),
  );
  const adapter = Object.fromEntries(
    [...lora].map(([name, { shape, data }]) => [name, tf.variable(tf.tensor(data, shape), true, name)]),
  );
  const variables = Object.values(adapter);
  const cos = tf.tensor(rotary.cos, [1, 1, T, D]);
  const sin = tf.tensor(rotary.sin, [1, 1, T, D]);
  const causal = causalMask(tf, G, T);

  const norm = (x, weight) => {
    const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon));
    return tf.mul(tf.mul(x, scale), weight);
  };
  const linear = (x, weight) => tf.matMul(x, weight, false, true);
  const withLora = (x, path) => {
    const low = linear(x, adapter[`${path}.lora_A`]);
    const delta = tf.mul(linear(low, adapter[`${path}.lora_B`]), loraScale);
    return tf.add(linear(x, w[`${path}.weight`]), delta);
  };
  const heads = (x, count) => tf.transpose(tf.reshape(x, [B, T, count, D]), [0, 2, 1, 3]);
  const rotate = (x, count) => {
    const low = tf.slice(x, [0, 0, 0, 0], [B, count, T, D / 2]);
    const high = tf.slice(x, [0, 0, 0, D / 2], [B, count, T, D / 2]);
    return tf.add(tf.mul(x, cos), tf.mul(tf.concat([tf.neg(high), low], -1), sin));
  };

  function attention(x, at) {
    const q = tf.reshape(rotate(heads(withLora(x, `${at}.q_proj`), H), H), [B, K, G * T, D]);
    const k = rotate(heads(linear(x, w[`${at}.k_proj.weight`]), K), K);
    const v = heads(withLora(x, `${at}.v_proj`), K);
    const mixed = tf.reshape(attend(tf, q, k, v, causal), [B, H, T, D]);
    const joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [B * T, H * D]);
    return linear(joined, w[`${at}.o_proj.weight`]);
  }

  function loss(ids, targets) {
    let x = tf.gather(w['model.embed_tokens.weight'], ids);
    for (let i = 0; i < layers; i++) {
      const at = `model.layers.${i}`;
      const attended = attention(norm(x, w[`${at}.input_layernorm.weight`]), `${at}.self_attn`);
      x = tf.add(x, attended);
      const y = norm(x, w[`${at}.post_attention_layernorm.weight`]);
      const gate = linear(y, w[`${at}.mlp.gate_proj.weight`]);
      const up = linear(y, w[`${at}.mlp.up_proj.weight`]);
      const gated = tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
      x = tf.add(x, linear(gated, w[`${at}.mlp.down_proj.weight`]));
    }
    const rows = tf.reshape(norm(x, w['model.norm.weight']), [B, T, C]);
    const last = tf.reshape(tf.slice(rows, [0, 0, 0], [B, T - 1, C]), [B * (T - 1), C]);
    const output = w['lm_head.weight'] ?? w['model.embed_tokens.weight'];
    const wanted = tf.sum(tf.mul(last, tf.gather(output, targets)), -1);
    return tf.mean(tf.sub(tf.logSumExp(linear(last, output), -1), wanted));
  }

  const adam = tf.train.adam(
    optimizer.learningRate,
    optimizer.beta1,
    optimizer.beta2,
    optimizer.epsilon,
  );
  return {
    parameterCount: variables.reduce((sum, { size }) => sum + size, 0),
    rank: R,
    async step({ ids, targets }) {
      const value = tf.tidy(() => {
        const i = tf.tensor1d(ids, 'int32');
        const t = tf.tensor1d(targets, 'int32');
        const { value, grads } = tf.variableGrads(() => loss(i, t), variables);
        const squares = Object.values(grads).map((grad) => tf.sum(tf.square(grad)));
        const norm = tf.sqrt(tf.sum(tf.stack(squares)));
        const factor = tf.minimum(1, tf.div(optimizer.maxGradNorm, tf.add(norm, 1e-6)));
        const clipped = Object.entries(grads).map(([name, grad]) => [name, tf.mul(grad, factor)]);
        adam.applyGradients(Object.fromEntries(clipped));
        return tf.keep(value);
      });
      const [number] = await value.data();
      value.dispose();
      // The step is over when its last update is, not when the loss is known.
      const corner = tf.tidy(() => tf.slice(variables.at(-1), [0, 0], [1, 1]));
      await corner.data();
      corner.dispose();
      return number;
    },
    dispose() {
      adam.dispose();
      tf.dispose([w, adapter, cos, sin, causal]);
    },
  };
}
