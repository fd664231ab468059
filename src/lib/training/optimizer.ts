/** The end of an optimiser step as one plan: global norm, clipping, AdamW over the parameter groups. */
import { has8bitMoments, type TrainingArguments } from '../config';
import { Arena, PlanBuilder, type Gpu, type Plan, type Tensor } from '../gpu';
import { adamw } from '../kernels/adamw';
import { adamw8bit } from '../kernels/adamw-8bit';
import { fill } from '../kernels/fill';
import { gradNorm } from '../kernels/grad-norm';
import type { AdapterState, ParameterGroup } from '../peft';
import { TrainingError } from './errors';
import { Moments8bit, type OptimizerState } from './moments-8bit';

export class Optimizer {
  private constructor(
    private readonly begin: Plan,
    private readonly end: Plan,
    private readonly arena: Arena,
    /** Global norm of the gradients before clipping, (1). */
    readonly norm: Tensor,
    private readonly adapter: AdapterState,
    /** Undefined where the adapter keeps moments of 32 bits. */
    private readonly moments: Moments8bit | undefined,
  ) {}

  static async create(
    gpu: Gpu,
    adapter: AdapterState,
    args: TrainingArguments,
    step: Tensor,
    total: Tensor,
  ): Promise<Optimizer> {
    const { params, layout, training } = adapter;
    if (!training) throw new RangeError('This adapter was not created to be trained.');
    const { grads } = training;
    const arena = new Arena(gpu, 'optimizer');
    const begin = new PlanBuilder(gpu, 'begin step');
    fill(begin, { label: '/optimizer/gradients', out: grads, value: 0 });
    fill(begin, { label: '/optimizer/total', out: total, value: 0 });

    const end = new PlanBuilder(gpu, 'end step');
    const norm = end.keep(gradNorm(end, { label: '/optimizer/norm', grads, step }));
    const shared = { label: '/optimizer/adamw', params, grads, norm, step };
    const settingsOf = ({ decay, fast }: ParameterGroup) => ({
      ...shared,
      beta1: args.adam_beta1,
      beta2: args.adam_beta2,
      epsilon: args.adam_epsilon,
      weightDecay: decay ? args.weight_decay : 0,
      maxGradNorm: args.max_grad_norm,
      learningRateScale: fast ? args.loraplus_lr_ratio : 1,
    });
    const { m, v } = training;
    const moments = has8bitMoments(args) ? new Moments8bit(gpu, layout) : undefined;
    const decaysLast = args.optim === 'paged_adamw_32bit';
    if (m && v)
      for (const group of layout.groups) {
        const { offset, count } = group;
        adamw(end, { ...settingsOf(group), m, v, range: { offset, count }, decaysLast });
      }
    for (const { group, blocks, small } of moments?.groups ?? []) {
      const { tensors, small: smallMoments } = moments!;
      if (tensors && blocks.count > 0)
        adamw8bit(end, { ...settingsOf(group), ...tensors, range: blocks });
      for (const { offset, count, momentOffset } of small)
        adamw(end, {
          ...settingsOf(group),
          ...smallMoments!,
          ...{ range: { offset, count }, momentOffset, decaysLast: true },
        });
    }
    const plans: Plan[] = [];
    try {
      for (const builder of [begin, end]) plans.push(await builder.build(arena));
      return new Optimizer(plans[0], plans[1], arena, norm, adapter, moments);
    } catch (error) {
      for (const plan of plans) plan.dispose();
      moments?.dispose();
      arena.dispose();
      throw error;
    }
  }

  /** GPU memory of gradients and moments. */
  get stateBytes(): number {
    const { training } = this.adapter;
    const tensors = [training?.grads, training?.m, training?.v];
    const own = tensors.reduce((sum, tensor) => sum + (tensor?.sizeBytes ?? 0), 0);
    return own + (this.moments?.sizeBytes ?? 0);
  }

  /** What a checkpoint keeps. */
  readState(): Promise<OptimizerState> {
    return this.moments ? this.moments.read() : this.adapter.readMoments();
  }

  /** @throws TrainingError `wrong-checkpoint` */
  writeState(state: OptimizerState): void {
    if (this.moments) return this.moments.write(state);
    const { flatCount } = this.adapter.layout;
    if (state.blocks || state.m.length !== flatCount || state.v.length !== flatCount)
      throw new TrainingError(
        'wrong-checkpoint',
        `The checkpoint's optimiser has moments for ${state.m.length} parameters of 32 bits, these settings make ${flatCount}. Resume with the settings that it was made with.`,
        { details: { found: state.m.length, allowed: flatCount } },
      );
    this.adapter.writeMoments(state);
  }

  /** Clears gradients and the loss total. */
  submitBegin(): void {
    this.begin.submit();
  }

  /** Moves the parameters; the step state's learning rate and bias corrections must be uploaded. */
  submitEnd(): void {
    this.end.submit();
  }

  dispose(): void {
    this.begin.dispose();
    this.end.dispose();
    this.arena.dispose();
    this.moments?.dispose();
  }
}
