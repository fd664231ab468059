// Rows of a learned prefix before each sequence of a batch: put in, taken out, and their gradient.
// B sequences of T rows get P more in front, so that the whole is (B * (P + T), W). One thread an element.
struct Sizes {
  // Elements that this entry point writes.
  elements: u32,
  W: u32,
  P: u32,
  T: u32,
  B: u32,
  // Where a row of the prefix lies in the table: row * stride + offset. A stride of 0 stands for rows of zeros.
  stride: u32,
  offset: u32,
}

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

fn element(group: vec3<u32>, groups: vec3<u32>, lane: u32) -> u32 {
  return (group.y * groups.x + group.x) * 64u + lane;
}

// source: (B * T, W)   table: (P, stride)   out: (B * (P + T), W)
@compute @workgroup_size(64)
fn insert(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
          @builtin(local_invocation_index) lane: u32) {
  let i = element(group, groups, lane);
  if (i >= sizes.elements) { return; }
  let c = i % sizes.W;
  let row = i / sizes.W;
  let whole = sizes.P + sizes.T;
  let batch = row / whole;
  let t = row % whole;
  if (t >= sizes.P) {
    out[i] = source[(batch * sizes.T + t - sizes.P) * sizes.W + c];
  } else if (sizes.stride == 0u) {
    out[i] = 0.0;
  } else {
    out[i] = table[t * sizes.stride + sizes.offset + c];
  }
}

// source: (B * (P + T), W)   out: (B * T, W). The table is not read.
@group(0) @binding(1) var<storage, read_write> rest: array<f32>;
@group(0) @binding(2) var<uniform> restSizes: Sizes;

@compute @workgroup_size(64)
fn remove(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
          @builtin(local_invocation_index) lane: u32) {
  let i = element(group, groups, lane);
  if (i >= restSizes.elements) { return; }
  let c = i % restSizes.W;
  let row = i / restSizes.W;
  let origin = (row / restSizes.T) * (restSizes.P + restSizes.T) + restSizes.P + row % restSizes.T;
  rest[i] = source[origin * restSizes.W + c];
}

// source: (B * (P + T), W)   rest: (P, stride), accumulates, batch after batch.
@compute @workgroup_size(64)
fn gradient(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) lane: u32) {
  let i = element(group, groups, lane);
  if (i >= restSizes.elements) { return; }
  let c = i % restSizes.W;
  let p = i / restSizes.W;
  var sum = 0.0;
  for (var batch = 0u; batch < restSizes.B; batch++) {
    sum += source[(batch * (restSizes.P + restSizes.T) + p) * restSizes.W + c];
  }
  rest[p * restSizes.stride + restSizes.offset + c] += sum;
}
