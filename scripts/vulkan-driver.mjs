// Finds a Vulkan driver for Dawn on a machine without a GPU: a recent Mesa lavapipe first
// (it has shader-f16), then the SwiftShader that ships beside Chromium.
import { existsSync, readdirSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { homedir } from 'node:os';

/** Mesa's lavapipe before this release crashes Dawn or lacks what it asks for. */
const OLDEST_USABLE_MESA = 24;

const LAVAPIPE_FILES = [
  '/usr/share/vulkan/icd.d/lvp_icd.json',
  '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json',
  '/usr/share/vulkan/icd.d/lvp_icd.aarch64.json',
];

function mesaMajor() {
  try {
    const version = execFileSync('dpkg-query', ['-W', '-f', '${Version}', 'mesa-vulkan-drivers'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return Number.parseInt(version, 10);
  } catch {
    return undefined;
  }
}

function swiftShaderFiles() {
  const found = ['/usr/lib/chromium/vk_swiftshader_icd.json'];
  const cache = process.env.PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), '.cache', 'ms-playwright');
  if (!existsSync(cache)) return found;
  for (const build of readdirSync(cache)) {
    for (const folder of ['chrome-linux', 'chrome-linux64', 'chrome-headless-shell-linux64'])
      found.push(join(cache, build, folder, 'vk_swiftshader_icd.json'));
  }
  return found;
}

/** @returns {string | undefined} a path for VK_DRIVER_FILES, or undefined to let the loader choose. */
export function findVulkanDriver() {
  if (process.env.VK_DRIVER_FILES) return process.env.VK_DRIVER_FILES;
  const major = mesaMajor();
  if (major === undefined || major >= OLDEST_USABLE_MESA) {
    const lavapipe = LAVAPIPE_FILES.find((file) => existsSync(file));
    if (lavapipe) return lavapipe;
  }
  return swiftShaderFiles().find((file) => existsSync(file));
}
