/** Plan: a change of fp16 is offered from 1.15 times as fast on, either way; nothing below, nothing unknown. */
import { describe, expect, test } from 'vitest';
import { offerFp16 } from '../../src/lib/state/fp16-offer';

describe('a change of fp16', () => {
  test.each([
    ['faster with it', false, 10, 16, { fp16: true, totalSeconds: 10, times: 1.6 }],
    ['faster with it, and on already', true, 10, 16, undefined],
    ['slower with it', false, 40, 10, undefined],
    ['slower with it, and on', true, 40, 10, { fp16: false, totalSeconds: 10, times: 4 }],
    ['hardly faster', false, 10, 11.4, undefined],
    ['just enough', false, 10, 11.5, { fp16: true, totalSeconds: 10, times: 1.15 }],
    ['hardly slower', true, 11.4, 10, undefined],
    ['too short to be measured', false, 0, 10, undefined],
    ['of no time at all', true, 0, 0, undefined],
  ])('%s', (_, fp16, withSeconds, withoutSeconds, offer) => {
    expect(offerFp16({ withSeconds, withoutSeconds }, fp16)).toEqual(offer);
  });

  test('is not offered before it is known', () => {
    expect(offerFp16(undefined, false)).toBeUndefined();
    expect(offerFp16(undefined, true)).toBeUndefined();
  });
});
