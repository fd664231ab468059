import type { Plugin } from 'vite';

export function bundledModels(folder?: string): Plugin;
