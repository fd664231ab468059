/** Which adapter inputs a graph has: sessions are made for shapes, adapters of one shape share a session. */
import type { ModelConfig } from '../config';
import { pathsOfModules, type LayerPaths } from '../onnx-export';
import { pathsOf, type AdapterInputs } from './adapter-inputs';
import type { Backend } from './runtime';

export interface GraphShape {
  readonly targets: LayerPaths;
  readonly rows: LayerPaths;
  readonly rowsWithBias: boolean;
  readonly columns: LayerPaths;
}

const NONE: LayerPaths = new Set();

/**
 * On the CPU every session holds its own copy of the weights, so one takes every LoRA: on all layers,
 * of zeros where an adapter has none.
 */
export function graphShapeOf(
  config: ModelConfig,
  adapter: AdapterInputs | undefined,
  backend: Backend,
): GraphShape {
  return {
    targets: backend === 'wasm' ? pathsOfModules(config) : (adapter?.targets ?? NONE),
    rows: pathsOf(adapter?.rows),
    rowsWithBias: adapter?.rows?.withBias ?? false,
    columns: pathsOf(adapter?.columns),
  };
}

/** The same for the same layers, whatever their order. */
export const shapeKey = ({ targets, rows, rowsWithBias, columns }: GraphShape) =>
  JSON.stringify([
    ...[targets, rows, columns].map((paths) => [...paths].sort()),
    rows.size > 0 && rowsWithBias,
  ]);
