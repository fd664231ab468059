/** A name for what was dropped: the folder's, else the zip's without its ending; none for files that are called as all are. */
export function nameOfFiles(files: readonly File[]): string {
  const folder = files.map((file) => file.webkitRelativePath.split('/')).find((p) => p.length > 1);
  if (folder) return folder[0];
  const zip = files.find((file) => /\.zip$/i.test(file.name));
  return zip?.name.replace(/\.[^.]+$/, '') ?? '';
}
