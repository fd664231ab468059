// Loaded before the command line: files under INKSTONE_TEST_DISK cannot be written while that folder holds a file called
// `full`, whose content is the code that the system refuses with; the `only` of `full only` limits that to paths with it
// in them. A refused write leaves half of a file, as a disk that is full does.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const disk = process.env.INKSTONE_TEST_DISK;
const { writeFile } = fs.promises;

fs.promises.writeFile = async (path, content, ...rest) => {
  const refusal = String(path).startsWith(disk) && readRefusal();
  if (!refusal || !String(path).includes(refusal.only)) return writeFile(path, content, ...rest);
  await writeFile(path, content.slice(0, content.length / 2), ...rest);
  const { code } = refusal;
  throw Object.assign(new Error(`${code}: write`), { code, syscall: 'write' });
};
syncBuiltinESMExports();

function readRefusal() {
  try {
    const [code, only = ''] = fs.readFileSync(`${disk}/full`, 'utf8').split(' ');
    return { code, only };
  } catch {
    return undefined;
  }
}
