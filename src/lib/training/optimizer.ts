/** The end of an optimiser step as one plan: global norm, clipping, AdamW over the parameter groups. */
import type { TrainingArguments } from '../config';
import { Arena, PlanBuilder, type Gpu, type Plan, type Tensor } from '../gpu';
import { adamw } from '../kernels/adamw';
import { fill } from '../kernels/fill';
import { gradNorm } from '../kernels/grad-norm';
import type { AdapterState } from '../peft';

export class Optimizer {
  private constructor(
    private readonly begin: Plan,
    private readonly end: Plan,
    private readonly arena: Arena,
    /** Global norm of the gradients before clipping, (1). */
    readonly norm: Tensor,
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
    const { grads, m, v } = training;
    const arena = new Arena(gpu, 'optimizer');
    const begin = new PlanBuilder(gpu, 'begin step');
    fill(begin, { label: '/optimizer/gradients', out: grads, value: 0 });
    fill(begin, { label: '/optimizer/total', out: total, value: 0 });

    const end = new PlanBuilder(gpu, 'end step');
    const norm = end.keep(gradNorm(end, { label: '/optimizer/norm', grads }));
    for (const { offset, count, decay, fast } of layout.groups)
      adamw(end, {
        label: '/optimizer/adamw',
        params,
        grads,
        m,
        v,
        norm,
        step,
        beta1: args.adam_beta1,
        beta2: args.adam_beta2,
        epsilon: args.adam_epsilon,
        weightDecay: decay ? args.weight_decay : 0,
        maxGradNorm: args.max_grad_norm,
        range: { offset, count },
        learningRateScale: fast ? args.loraplus_lr_ratio : 1,
      });
    const plans: Plan[] = [];
    try {
      for (const builder of [begin, end]) plans.push(await builder.build(arena));
      return new Optimizer(plans[0], plans[1], arena, norm);
    } catch (error) {
      for (const plan of plans) plan.dispose();
      arena.dispose();
      throw error;
    }
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
  }
}
