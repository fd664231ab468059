/**
 * Plan: all of attention.test.ts on a device whose subgroups have 4 lanes, where the fastest variant is `quad`
 * (four-lanes.test.ts holds that it is).
 */
import './attention.test';

// lavapipe with vectors of 4 numbers, as SwiftShader has them. Read when the device is made.
process.env.LP_NATIVE_VECTOR_WIDTH = '128';
