// Draws the PNG icons of the manifest from static/icons/seal.svg. Run once after the drawing changes:
// node tests/ui/make-icons.mjs
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';

const folder = fileURLToPath(new URL('../../static/icons/', import.meta.url));
const svg = readFileSync(`${folder}seal.svg`, 'utf8');
const executablePath = process.env.CHROMIUM_PATH;
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });

async function draw(name, size, share, ground) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(
    `<body style="margin:0;display:grid;place-items:center;height:100vh;background:${ground}">
      <div style="width:${share * 100}%;line-height:0">${svg}</div></body>`,
  );
  await page.screenshot({ path: `${folder}${name}.png`, omitBackground: true });
  await page.close();
}

await draw('icon-192', 192, 1, 'transparent');
await draw('icon-512', 512, 1, 'transparent');
// A mask may cut to a circle of 80 %: the seal stays inside, paper fills the rest.
await draw('maskable-512', 512, 0.56, '#f7f2e7');
await browser.close();
