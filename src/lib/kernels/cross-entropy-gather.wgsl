// Rows that have a target, brought to the front: rows[i] = hidden[rowIndex[first + i]] where first + i < step.targetCount.
// hidden: (N, C)   rowIndex: (N)   rows: (any, C); those past targetCount are left as they are.
struct Sizes {
  first: u32,
  // Rows to bring.
  count: u32,
  C: u32,
}

@group(0) @binding(0) var<storage, read> hidden: array<f32>;
@group(0) @binding(1) var<storage, read> rowIndex: array<i32>;
@group(0) @binding(2) var<storage, read> step: StepState;
@group(0) @binding(3) var<storage, read_write> rows: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= sizes.count || sizes.first + row >= step.targetCount) {
    return;
  }
  let source = u32(rowIndex[sizes.first + row]) * sizes.C;
  for (var c = thread; c < sizes.C; c += 64u) {
    rows[row * sizes.C + c] = hidden[source + c];
  }
}
