/** What the worker of the lifeline tests can be asked. */
import type { ApiMethod } from '../../../src/lib/rpc';

export interface MortalApi {
  double: ApiMethod<number, number>;
  /** Holds the thread, as inference on the processor does. */
  holdThread: ApiMethod<{ ms: number }, string>;
  /** Never answers. */
  wait: ApiMethod<void, never>;
  /** Ends the thread without an error event, as a browser does that takes its memory. */
  vanish: ApiMethod<void, never>;
}
