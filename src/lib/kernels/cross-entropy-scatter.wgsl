// Puts gradients back: dHidden[rowIndex[i]] = dRows[i] for i < step.targetCount.
// dRows, dHidden: (N, C)   rowIndex: (N), no row twice. dHidden was zero before.
struct Sizes {
  N: u32,
  C: u32,
}

@group(0) @binding(0) var<storage, read> dRows: array<f32>;
@group(0) @binding(1) var<storage, read> rowIndex: array<i32>;
@group(0) @binding(2) var<storage, read> step: StepState;
@group(0) @binding(3) var<storage, read_write> dHidden: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= step.targetCount) {
    return;
  }
  let destination = u32(rowIndex[row]) * sizes.C;
  for (var c = thread; c < sizes.C; c += 64u) {
    dHidden[destination + c] = dRows[row * sizes.C + c];
  }
}
