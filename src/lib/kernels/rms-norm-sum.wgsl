// Sum over a row of rms-norm.wgsl through workgroup memory, in the order of lanes.
var<workgroup> partial: array<f32, LANES * ROWS>;

// The sum of what each lane of the row holds, the same in every lane.
fn rowSum(mine: f32, lane: vec3<u32>) -> f32 {
  partial[lane.y * LANES + lane.x] = mine;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < LANES; i++) { sum += partial[lane.y * LANES + i]; }
  return sum;
}
