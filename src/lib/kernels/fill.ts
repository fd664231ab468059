/** Sets every element of a tensor to one value, mostly gradients to zero. */
import { write, type PlanBuilder, type Tensor } from '../gpu';
import { floatBits, foldGrid, packPrelude, packWidth, requireElements } from './add-elementwise';
import { KernelError } from './errors';
import FILL_WGSL from './fill.wgsl?raw';

const WORKGROUP = 64;

/**
 * @param value any number for f32; a whole number for u32 and i32; only 0 for the 16-bit types
 * @throws KernelError `dtype` for a value that the type does not hold
 */
export function fill(
  plan: PlanBuilder,
  { label, out, value }: { label: string; out: Tensor; value: number },
): void {
  const where = `${label} (fill)`;
  requireElements(where, 'out', out);
  const words = out.sizeBytes / 4;
  const width = packWidth(words);
  plan.dispatch({
    label,
    kernel: { name: 'fill', wgsl: packPrelude(width) + FILL_WGSL },
    bindings: [write(out)],
    uniforms: [words / width, bitsOf(where, out, value)],
    grid: foldGrid(Math.ceil(words / width / WORKGROUP)),
  });
}

function bitsOf(where: string, out: Tensor, value: number): number {
  if (out.dtype === 'f32') return floatBits(value);
  const whole = out.dtype === 'u32' ? value >>> 0 : value | 0;
  const holds = out.dtype === 'f16' || out.dtype === 'bf16' ? value === 0 : value === whole;
  if (!holds)
    throw new KernelError(
      'dtype',
      `${where}: out (${out.label}) is ${out.dtype}, which cannot be filled with ${value}.`,
    );
  return value >>> 0;
}
