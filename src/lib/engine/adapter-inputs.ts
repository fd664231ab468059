/** Adapters as a session for talking reads them: in GPU memory or, for the CPU backend, in main memory. */
import { loraScale, type LoraConfig } from '../config';
import type { Tensor } from '../gpu';
import type { AdapterInputs, HostTensor } from '../inference';
import type { LoadedAdapter, LoraParameter, LoraState } from '../peft';

/** In GPU memory, with the values that the adapter has at this moment. */
export function gpuInputs(state: LoraState): AdapterInputs {
  return toInputs<Tensor>(state.config, state.layout.parameters, state.ownTensors());
}

export function hostInputs({ layout, config, values }: LoadedAdapter): AdapterInputs {
  const tensors = new Map<string, HostTensor>(
    layout.parameters.map(({ key, shape, offset, count }) => [
      key,
      { shape, data: values.slice(offset, offset + count) },
    ]),
  );
  return toInputs<HostTensor>(config, layout.parameters, tensors);
}

function toInputs<T extends Tensor | HostTensor>(
  config: LoraConfig,
  parameters: readonly LoraParameter[],
  byKey: ReadonlyMap<string, T>,
): AdapterInputs {
  const factors = new Map<string, T>();
  const biases = new Map<string, T>();
  for (const { key, kind, path } of parameters) {
    const tensor = byKey.get(key)!;
    if (kind === 'bias') biases.set(`${path}.bias`, tensor);
    else factors.set(key, tensor);
  }
  return { targets: config.target_modules, tensors: factors, scale: loraScale(config), biases };
}
