/** Which adapter inputs a graph has: sessions are made for shapes, adapters of one shape share a session. */
import { LINEAR_MODULES, type LinearModule } from '../config';
import type { AdapterInputs } from './adapter-inputs';
import type { Backend } from './runtime';

export interface GraphShape {
  readonly targets: readonly LinearModule[];
  readonly rows: readonly LinearModule[];
  readonly rowsWithBias: boolean;
  readonly columns: readonly LinearModule[];
}

const inOrder = (modules: readonly LinearModule[] = []) =>
  LINEAR_MODULES.filter((module) => modules.includes(module));

/**
 * On the CPU every session holds its own copy of the weights, so one takes every LoRA: on all modules,
 * of zeros where an adapter has none.
 */
export function graphShapeOf(adapter: AdapterInputs | undefined, backend: Backend): GraphShape {
  return {
    targets: backend === 'wasm' ? LINEAR_MODULES : inOrder(adapter?.targets),
    rows: inOrder(adapter?.rows?.modules),
    rowsWithBias: adapter?.rows?.withBias ?? false,
    columns: inOrder(adapter?.columns?.modules),
  };
}

export const shapeKey = ({ targets, rows, rowsWithBias, columns }: GraphShape) =>
  [targets, rows, rows.length > 0 && rowsWithBias, columns].join('|');
