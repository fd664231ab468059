// Rotary position embedding in half-split order. One thread a Pack of pairs.
// x, out: (N, HEADS * D)   cos, sin: (maxT, D / 2)   positions: (N)
// out is overwritten. x1 = x[:D/2], x2 = x[D/2:]: out = [x1 cos - x2 sin, x2 cos + x1 sin]
override HEADS: u32;
// Packs in half a head.
override HALF: u32;
// 1, or -1 to turn back.
override DIRECTION: f32;
override HAS_POSITIONS: bool;

struct Sizes {
  N: u32,
  T: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Pack>;
@group(0) @binding(1) var<storage, read> cos: array<Pack>;
@group(0) @binding(2) var<storage, read> sin: array<Pack>;
// Any bound memory, never read, where the row number gives the position.
@group(0) @binding(3) var<storage, read> positions: array<i32>;
@group(0) @binding(4) var<storage, read_write> out: array<Pack>;
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let head = i / HALF;
  let row = head / HEADS;
  if (row >= sizes.N) { return; }
  var position = row % sizes.T;
  if (HAS_POSITIONS) { position = u32(positions[row]); }
  let angle = position * HALF + i % HALF;
  let c = cos[angle];
  let s = DIRECTION * sin[angle];
  let first = head * 2u * HALF + i % HALF;
  let x1 = x[first];
  let x2 = x[first + HALF];
  out[first] = x1 * c - x2 * s;
  out[first + HALF] = x2 * c + x1 * s;
}
