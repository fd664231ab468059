/**
 * What crosses a worker boundary: a call, its progress, its cancellation, its result or its error.
 * One interface a worker is implemented on one side and consumed on the other, so the two cannot drift.
 */

/** Given to every method of a served object. */
export interface CallContext<Progress = never> {
  readonly signal: AbortSignal;
  /** Sends an update to the caller; a method without progress is typed so that it cannot. */
  readonly progress: (update: Progress) => void;
}

/** The form of every method in an Api interface. Input and result are structured-cloneable. */
export type ApiMethod<Input, Result, Progress = never> = (
  input: Input,
  context: CallContext<Progress>,
) => Promise<Result>;

export interface CallOptions<Progress> {
  signal?: AbortSignal;
  onProgress?: (update: Progress) => void;
  /** Moved, not copied, to the worker. */
  transfer?: Transferable[];
}

/** The caller's view of an Api interface. */
export type Remote<Api> = {
  [Name in keyof Api]: Api[Name] extends ApiMethod<infer Input, infer Result, infer Progress>
    ? (input: Input, options?: CallOptions<Progress>) => Promise<Result>
    : never;
};

/** Wrap a result in this to move its buffers to the caller instead of copying them. */
export class Transfer<Value> {
  constructor(
    readonly value: Value,
    readonly transferables: Transferable[],
  ) {}
}
