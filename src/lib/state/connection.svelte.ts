/** Whether the browser believes to be online. */
class ConnectionState {
  online = $state(typeof navigator === 'undefined' || navigator.onLine);

  /** @returns stops watching */
  watch(): () => void {
    const update = (): void => {
      this.online = navigator.onLine;
    };
    addEventListener('online', update);
    addEventListener('offline', update);
    return () => {
      removeEventListener('online', update);
      removeEventListener('offline', update);
    };
  }
}

export const connection = new ConnectionState();
