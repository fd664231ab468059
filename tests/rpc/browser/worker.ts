/** A served object that can vanish. */
import { serve } from '../../../src/lib/rpc';
import type { MortalApi } from './api';

const never = () => new Promise<never>(() => {});

serve<MortalApi>({
  double: async (value) => value * 2,
  holdThread: async ({ ms }) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return 'held';
  },
  wait: never,
  vanish: () => {
    self.close();
    return never();
  },
});
