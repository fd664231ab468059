/** Hands a file to the browser's own download. Nothing leaves the device. */
const KEEP_URL_MS = 60_000;

export function saveFile(file: Blob, fileName: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEEP_URL_MS);
}

export const saveText = (text: string, fileName: string, type: string): void =>
  saveFile(new Blob([text], { type: `${type};charset=utf-8` }), fileName);
