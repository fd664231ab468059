/** torch.optim.AdamW (`_single_tensor_adamw`) after torch.nn.utils.clip_grad_norm_, in float64. */

export interface AdamwSettings {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** 0 or less: no clipping. */
  maxGradNorm: number;
}

export interface AdamwState {
  params: Float64Array;
  m: Float64Array;
  v: Float64Array;
}

/** @param t number of this step, from 1 */
export function adamwStep(
  state: AdamwState,
  gradients: Float64Array,
  t: number,
  settings: AdamwSettings,
): void {
  const { learningRate, beta1, beta2, epsilon, weightDecay, maxGradNorm } = settings;
  const { params, m, v } = state;
  const norm = Math.sqrt(gradients.reduce((sum, g) => sum + g * g, 0));
  const clip = maxGradNorm > 0 ? Math.min(1, maxGradNorm / (norm + 1e-6)) : 1;
  for (let i = 0; i < params.length; i++) {
    const g = gradients[i] * clip;
    params[i] *= 1 - learningRate * weightDecay;
    m[i] += (1 - beta1) * (g - m[i]);
    v[i] = beta2 * v[i] + (1 - beta2) * g * g;
    const denominator = Math.sqrt(v[i]) / Math.sqrt(1 - beta2 ** t) + epsilon;
    params[i] -= (learningRate / (1 - beta1 ** t)) * (m[i] / denominator);
  }
}
