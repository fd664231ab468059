/** What the bench asks of ours and of each peer. */
import type { AttentionOperands, AttentionShape } from './attention-problem';
import type { Batch, LoraProblem } from './lora-problem';

export interface Contender {
  readonly name: string;
  /** The processor computes it with no GPU between: only its steps are compared. */
  readonly isProcessor?: boolean;
  /** (m, k) times (k, n); the function runs it `repeats` times and waits for the end. */
  matmul?(m: number, k: number, n: number, operands: Operands): Promise<Repeat> | Repeat;
  attention?(
    shape: AttentionShape,
    operands: AttentionOperands,
  ): Promise<AttentionRuns> | AttentionRuns;
  loraStep(problem: LoraProblem): Promise<LoraStepper> | LoraStepper;
}

export type Repeat = (repeats: number) => Promise<void>;

export interface Operands {
  readonly a: Float32Array;
  readonly b: Float32Array;
}

export interface AttentionRuns {
  readonly forward: Repeat;
  /** Forward, and the gradients of q, k and v. */
  readonly training: Repeat;
  /** In the shapes of q and of the operands. */
  results(): Promise<AttentionResults>;
  dispose(): void;
}

export type AttentionResults = Readonly<Record<'out' | 'dQ' | 'dK' | 'dV', Float32Array>>;

export interface LoraStepper {
  /** One optimiser step. @returns its mean loss, read back from the GPU */
  step(batch: Batch): Promise<number>;
  /** Gives back all memory. */
  dispose(): Promise<void> | void;
}
