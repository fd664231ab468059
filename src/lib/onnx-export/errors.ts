import { InkstoneError } from '../config';

export type ExportErrorCode =
  /** The model has a shape that no operator of ONNX Runtime takes. */
  | 'unsupported-model'
  /** Options that contradict each other. */
  | 'invalid-option'
  /** The source of weights does not give what config.json asks for. */
  | 'bad-weight'
  /** The emitter made a graph that contradicts itself: a fault of this room. */
  | 'bad-graph';

export class ExportError extends InkstoneError<ExportErrorCode> {}
