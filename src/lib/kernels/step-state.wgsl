// Equals StepState in step-state.ts: 8 words.
struct StepState {
  dropoutSeed: u32,
  targetCount: u32,
  lossScale: f32,
  learningRate: f32,
  biasCorrection1: f32,
  biasCorrection2: f32,
  noiseScale: f32,
  gradUnscale: f32,
}
