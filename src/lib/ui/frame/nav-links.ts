/** The pages in the order of the navigation. */
import type { IconName } from '../controls/Icon.svelte';

export const NAV_LINKS = [
  { path: '/', name: 'home' },
  { path: '/models', name: 'models' },
  { path: '/train', name: 'train' },
  { path: '/chat', name: 'chat' },
  { path: '/evaluate', name: 'evaluate' },
  { path: '/settings', name: 'settings' },
] as const satisfies readonly { path: string; name: IconName }[];

export type PagePath = (typeof NAV_LINKS)[number]['path'];
