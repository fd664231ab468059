/** Short notices about something that has just ended. Errors stay until they are dismissed. */
const VISIBLE_MS = 10_000;

export interface Toast {
  id: number;
  kind: 'done' | 'error';
  text: string;
}

class Toasts {
  items = $state<Toast[]>([]);
  #last = 0;

  done(text: string): void {
    const id = this.#add('done', text);
    setTimeout(() => this.dismiss(id), VISIBLE_MS);
  }

  error(text: string): void {
    this.#add('error', text);
  }

  dismiss(id: number): void {
    this.items = this.items.filter((toast) => toast.id !== id);
  }

  #add(kind: Toast['kind'], text: string): number {
    const id = ++this.#last;
    this.items = [
      ...this.items.filter((toast) => toast.text !== text).slice(-2),
      { id, kind, text },
    ];
    return id;
  }
}

export const toasts = new Toasts();
