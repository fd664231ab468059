// Embedding lookup, and its gradient through chains of equal ids.
// ids, links: (N)   weight, dWeight: (V, C)   out, dOut: (N, C)
// out and links are overwritten; dWeight accumulates, row by row in the order of n. An id outside 0..V-1 is 0.
override V: u32;
// Its row gets no gradient; V for none.
override PADDING: u32;
override C: u32;

struct Sizes {
  N: u32,
}

@group(0) @binding(0) var<storage, read> ids: array<i32>;

// A negative id is a large u32.
fn idAt(n: u32) -> u32 {
  let id = u32(ids[n]);
  return select(id, 0u, id >= V);
}

@group(0) @binding(1) var<storage, read> weight: array<WeightWord>;
@group(0) @binding(2) var<storage, read_write> out: array<Pack>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
           @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let n = i / (C / PACK);
  if (n >= sizes.N) { return; }
  out[i] = weightPack(idAt(n) * (C / PACK) + i % (C / PACK));
}

const FIRST = 0x80000000u;

@group(0) @binding(1) var<storage, read_write> links: array<u32>;
@group(0) @binding(2) var<uniform> linkSizes: Sizes;

// links[n] is the next row with the same id, or N; its top bit says that no earlier row has it.
@compute @workgroup_size(64)
fn link(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let N = linkSizes.N;
  let n = (group.y * groups.x + group.x) * 64u + lane;
  if (n >= N) { return; }
  let id = idAt(n);
  var next = n + 1u;
  while (next < N && idAt(next) != id) { next++; }
  var earlier = n;
  while (earlier > 0u && idAt(earlier - 1u) != id) { earlier--; }
  links[n] = select(next, next | FIRST, earlier == 0u);
}

@group(0) @binding(1) var<storage, read> chains: array<u32>;
@group(0) @binding(2) var<storage, read> dOut: array<Pack>;
@group(0) @binding(3) var<storage, read_write> dWeight: array<Pack>;
@group(0) @binding(4) var<uniform> gradientSizes: Sizes;

// One thread a Pack of each row that heads a chain.
@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) lane: u32) {
  let N = gradientSizes.N;
  let i = (group.y * groups.x + group.x) * 64u + lane;
  var n = i / (C / PACK);
  if (n >= N) { return; }
  if ((chains[n] & FIRST) == 0u || idAt(n) == PADDING) { return; }
  let c = i % (C / PACK);
  let row = idAt(n) * (C / PACK);
  var sum = Pack(0.0);
  while (n < N) {
    sum += dOut[n * (C / PACK) + c];
    n = chains[n] & ~FIRST;
  }
  dWeight[row + c] += sum;
}
