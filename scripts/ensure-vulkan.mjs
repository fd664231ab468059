// Sees to it that Dawn has a Vulkan driver on a Linux machine without a GPU: Mesa's lavapipe (fast, with
// shader-f16) where it is or can be installed, else the SwiftShader beside Chromium.
import { aptInstall, canUseApt, debianRelease } from './apt.mjs';
import { findVulkanDriver } from './vulkan-driver.mjs';

const isLavapipe = (file) => file?.includes('lvp_icd') ?? false;

/** @returns {Promise<string | undefined>} the driver's file; undefined leaves the choice to the system */
export async function ensureVulkanDriver() {
  const found = findVulkanDriver();
  if (process.platform !== 'linux' || process.env.VK_DRIVER_FILES || isLavapipe(found))
    return found;
  if (canUseApt()) {
    console.log("Installing Mesa's software Vulkan driver ...");
    const from = debianRelease() === 'bookworm' ? 'bookworm-backports' : undefined;
    if (await aptInstall(['mesa-vulkan-drivers', 'libvulkan1'], { from }))
      return findVulkanDriver();
    console.error('It could not be installed.');
  }
  return findVulkanDriver();
}
