/**
 * A GPUDevice that only counts: its buffers have a size and no memory, nothing is compiled, nothing
 * runs. Code that allocates for a run, given this device, tells beforehand what it will take, to the byte.
 */

export type CountedLimits = Pick<
  GPUSupportedLimits,
  | 'maxBufferSize'
  | 'maxStorageBufferBindingSize'
  | 'maxComputeWorkgroupsPerDimension'
  | 'maxTextureArrayLayers'
  | 'minUniformBufferOffsetAlignment'
>;

export const NO_LIMITS: CountedLimits = {
  maxBufferSize: Infinity,
  maxStorageBufferBindingSize: Infinity,
  maxComputeWorkgroupsPerDimension: Infinity,
  maxTextureArrayLayers: Infinity,
  minUniformBufferOffsetAlignment: 256,
};

export interface ImitatedDevice {
  readonly limits: CountedLimits;
  readonly features: ReadonlySet<string>;
  readonly adapterInfo: Pick<GPUAdapterInfo, 'subgroupMinSize' | 'subgroupMaxSize'>;
}

const PLAIN: ImitatedDevice = {
  limits: NO_LIMITS,
  features: new Set(['shader-f16']),
  adapterInfo: { subgroupMinSize: 0, subgroupMaxSize: 0 },
};

/** @param like what kernels are chosen by; the limits count too, unless others are given */
export function countingDevice(
  like: ImitatedDevice = PLAIN,
  limits: CountedLimits = like.limits,
): GPUDevice {
  const nothing = () => ({});
  const pass = { setPipeline: nothing, setBindGroup: nothing, dispatchWorkgroups: nothing };
  const device = {
    limits,
    features: like.features,
    adapterInfo: like.adapterInfo,
    lost: new Promise<never>(() => {}),
    queue: {
      writeBuffer: nothing,
      submit: nothing,
      onSubmittedWorkDone: () => Promise.resolve(),
    },
    createBuffer: ({ label, size }: GPUBufferDescriptor) => ({ label, size, destroy: nothing }),
    createTexture: () => ({ createView: nothing, destroy: nothing }),
    createBindGroup: nothing,
    createBindGroupLayout: nothing,
    createPipelineLayout: nothing,
    createShaderModule: () => ({ getCompilationInfo: () => Promise.resolve({ messages: [] }) }),
    createComputePipelineAsync: () => Promise.resolve({}),
    createCommandEncoder: () => ({
      beginComputePass: () => ({ ...pass, end: nothing }),
      copyBufferToBuffer: nothing,
      copyBufferToTexture: nothing,
      finish: nothing,
    }),
    pushErrorScope: nothing,
    popErrorScope: () => Promise.resolve(null),
    destroy: nothing,
  };
  return device as unknown as GPUDevice;
}
