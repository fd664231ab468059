/** Compiles WGSL into a pipeline with an explicit layout; a compiler message becomes part of the error. */
import { GpuError } from './errors';
import { IMAGE_DIMENSION, IMAGE_FORMAT } from './image';

/**
 * How a kernel uses a binding: `read` is read-only storage, `write` fills it, `update` reads and writes; `image` reads
 * a copy of it from a texture, see image.ts.
 */
export type Access = 'read' | 'write' | 'update' | 'image';

export interface KernelSource {
  /** File name of the kernel without its ending, such as `rms-norm`; shown in errors and timings. */
  readonly name: string;
  /** Whole text: the scalar prelude, then the file. */
  readonly wgsl: string;
  /** Compute entry point; `main` when left out. */
  readonly entryPoint?: string;
  /** Values of the text's `override` declarations. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Access of `@group(0) @binding(0..)`, in order. */
  readonly access: readonly Access[];
  /** True when the next binding after the tensors is a uniform struct of u32 fields. */
  readonly hasUniforms: boolean;
}

export interface Pipeline {
  readonly compute: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

const COMPUTE_STAGE = 4;

export function pipelineKey(kernel: KernelSource): string {
  const constants = Object.entries(kernel.constants ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
  return `${kernel.name}|${kernel.entryPoint ?? 'main'}|${constants}|${kernel.access}|${kernel.hasUniforms}|${kernel.wgsl}`;
}

/** @throws GpuError `shader` with the compiler's own message and line */
export async function compilePipeline(device: GPUDevice, kernel: KernelSource): Promise<Pipeline> {
  const entryPoint = kernel.entryPoint ?? 'main';
  const label = `${kernel.name}.${entryPoint}`;
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label, code: kernel.wgsl });
  const entries: GPUBindGroupLayoutEntry[] = kernel.access.map((access, binding) => ({
    binding,
    visibility: COMPUTE_STAGE,
    ...(access === 'image'
      ? {
          storageTexture: {
            access: 'read-only' as const,
            format: IMAGE_FORMAT,
            viewDimension: IMAGE_DIMENSION,
          },
        }
      : { buffer: { type: access === 'read' ? ('read-only-storage' as const) : 'storage' } }),
  }));
  if (kernel.hasUniforms)
    entries.push({
      binding: entries.length,
      visibility: COMPUTE_STAGE,
      buffer: { type: 'uniform' },
    });
  const layout = device.createBindGroupLayout({ label, entries });
  const scope = device.popErrorScope();
  const info = await module.getCompilationInfo();
  const errors = info.messages.filter((message) => message.type === 'error');
  if (errors.length > 0) {
    await scope;
    const text = errors.map((m) => `line ${m.lineNum}: ${m.message}`).join('; ');
    throw new GpuError('shader', `${label} does not compile: ${text}`);
  }
  const problem = await scope;
  if (problem) throw new GpuError('validation', `${label}: ${problem.message}`);
  try {
    const compute = await device.createComputePipelineAsync({
      label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
      compute: { module, entryPoint, constants: { ...kernel.constants } },
    });
    return { compute, layout };
  } catch (error) {
    throw new GpuError('shader', `${label} does not compile: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
