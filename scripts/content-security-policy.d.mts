import type { Config } from '@sveltejs/kit';

type Csp = NonNullable<NonNullable<Config['kit']>['csp']>;

export const pageDirectives: NonNullable<Csp['directives']>;
export const workerPolicy: string;
export const framePolicy: string;
export const isolationHeaders: Record<string, string>;
