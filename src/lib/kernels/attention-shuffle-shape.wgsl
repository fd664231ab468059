// Between attention-shape.wgsl and a kernel of the shuffle variant, for graphics cards: the geometry of attention.wgsl, but
// the D / 4 threads of four queries (or keys) lie in one subgroup and pass on what they found by shuffles. No workgroup
// memory, no barrier. Each sum has the order of attention.wgsl: the same bits.
// D / 4 is a power of two, no more than the lanes of any subgroup. That these lie in the order of threads is not in WGSL's
// text, but is so of workgroups with one dimension on every driver.
override D: u32;
// Rows of a tile.
override ROWS: u32;
override THREADS: u32 = D * ROWS / 16;
// Threads side by side along a row.
override LANES: u32 = D / 4;

// Largest of what the threads of a row have.
fn largestOfRow(mine: vec4<f32>) -> vec4<f32> {
  var all = max(mine, subgroupShuffleXor(mine, 1u));
  if (LANES > 2u) { all = max(all, subgroupShuffleXor(all, 2u)); }
  if (LANES > 4u) { all = max(all, subgroupShuffleXor(all, 4u)); }
  if (LANES > 8u) { all = max(all, subgroupShuffleXor(all, 8u)); }
  if (LANES > 16u) { all = max(all, subgroupShuffleXor(all, 16u)); }
  if (LANES > 32u) { all = max(all, subgroupShuffleXor(all, 32u)); }
  return all;
}

// Of 4 queries, where they stream keys. Never indexed by a variable, so that a compiler can keep all of them in registers.
var<private> sums: array<vec4<f32>, 4>;

fn addWeighted(weight: vec4<f32>, value: vec4<f32>) {
  sums[0] += weight.x * value;
  sums[1] += weight.y * value;
  sums[2] += weight.z * value;
  sums[3] += weight.w * value;
}
