import { InkstoneError } from '../config';

export type InferenceErrorCode =
  /** The runtime or its wasm file did not load, or cannot do what this call needs. */
  | 'runtime'
  /** ONNX Runtime refused to build or run the graph. */
  | 'session'
  /** Weights that do not fit config.json or lie where the runtime cannot read them. */
  | 'bad-weights'
  | 'bad-adapter'
  | 'bad-prompt'
  /** Prompt and answer do not fit the model's positions. */
  | 'prompt-too-long'
  | 'bad-option'
  | 'disposed';

export class InferenceError extends InkstoneError<InferenceErrorCode> {}
