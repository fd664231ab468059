// Four rows for matmul-quad.wgsl, of which lane i has loaded row i (matmul-lane-*.wgsl).
// Column i of the result: row i at the four steps.
fn fourRows(own: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    quadBroadcast(own, 0u),
    quadBroadcast(own, 1u),
    quadBroadcast(own, 2u),
    quadBroadcast(own, 3u),
  );
}
