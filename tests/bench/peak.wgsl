// Nothing but multiply-adds: what the arithmetic units of an adapter can do at most.
// Twelve sums an invocation, independent of each other, hide the latency of one multiply-add and leave room in
// the registers for its operands; 64 steps of each a turn hide the loop. Written step by step, and with a number
// of turns that the compiler knows: else LLVM finishes one sum before the next, and the processor waits.
// Before this text: Real, which is f32 or f16.
const TURNS = 20u;

@group(0) @binding(0) var<storage, read_write> out: array<f32>;

struct Sums {
  s0: Real,
  s1: Real,
  s2: Real,
  s3: Real,
  s4: Real,
  s5: Real,
  s6: Real,
  s7: Real,
  s8: Real,
  s9: Real,
  s10: Real,
  s11: Real,
}

fn step(s: Sums, factor: Real, term: Real) -> Sums {
  return Sums(
    fma(s.s0, factor, term),
    fma(s.s1, factor, term),
    fma(s.s2, factor, term),
    fma(s.s3, factor, term),
    fma(s.s4, factor, term),
    fma(s.s5, factor, term),
    fma(s.s6, factor, term),
    fma(s.s7, factor, term),
    fma(s.s8, factor, term),
    fma(s.s9, factor, term),
    fma(s.s10, factor, term),
    fma(s.s11, factor, term),
  );
}

fn eightSteps(sums: Sums, factor: Real, term: Real) -> Sums {
  var s = sums;
  s = step(s, factor, term);
  s = step(s, factor, term);
  s = step(s, factor, term);
  s = step(s, factor, term);
  s = step(s, factor, term);
  s = step(s, factor, term);
  s = step(s, factor, term);
  s = step(s, factor, term);
  return s;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let factor = Real(0.999 + f32(id.x) * 1e-9);
  let term = Real(0.001 + f32(id.x) * 1e-9);
  var s = Sums(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0);
  for (var turn = 0u; turn < TURNS; turn++) {
    s = eightSteps(s, factor, term);
    s = eightSteps(s, factor, term);
    s = eightSteps(s, factor, term);
    s = eightSteps(s, factor, term);
    s = eightSteps(s, factor, term);
    s = eightSteps(s, factor, term);
    s = eightSteps(s, factor, term);
    s = eightSteps(s, factor, term);
  }
  // All are read, so that none is left out.
  out[id.x] = f32(s.s0 + s.s1 + s.s2 + s.s3 + s.s4 + s.s5 + s.s6 + s.s7 + s.s8 + s.s9 + s.s10 + s.s11);
}
