/** A port of localhost that nothing listens on at the moment. */
export function findFreePort(): Promise<number>;
