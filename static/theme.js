// Sets theme and language before the first paint, so that a night page never flashes white.
// The same keys are written by src/lib/state/settings.svelte.ts.
try {
  const saved = JSON.parse(localStorage.getItem('inkstone.settings') ?? '{}');
  if (saved.theme === 'light' || saved.theme === 'night')
    document.documentElement.dataset.theme = saved.theme;
  const languages =
    saved.locale === 'system' || !saved.locale ? navigator.languages : [saved.locale];
  const first = languages.find((tag) => /^(zh|en)\b/i.test(tag));
  document.documentElement.lang = first && /^zh/i.test(first) ? 'zh-CN' : 'en';
} catch {
  // Storage is closed to us: the page starts with the system's theme.
}
