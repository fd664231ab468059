/** Numbers, sizes, times and dates as each language writes them. Pure: a locale in, text out. */
import type { Locale } from './locale';

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** A Chinese unit stands apart from its number, as it does in our sentences. */
const apart = (text: string): string => text.replace(/(\d)(\p{Script=Han})/u, '$1 $2');

export type Format = ReturnType<typeof createFormat>;

export function createFormat(locale: Locale) {
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const decimal = (digits: number) =>
    new Intl.NumberFormat(locale, {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  const one = decimal(1);
  const four = decimal(4);
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
  const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' });
  const compact = new Intl.NumberFormat(locale, {
    notation: 'compact',
    maximumSignificantDigits: 3,
  });
  const rate = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });

  return {
    whole: (value: number) => whole.format(value),
    one: (value: number) => one.format(value),
    /** Four decimals, as losses are written. */
    loss: (value: number) => (Number.isFinite(value) ? four.format(value) : '–'),
    compact: (value: number) => compact.format(value),
    percent: (share: number) => (Number.isFinite(share) ? percent.format(share) : '–'),
    rate: (value: number) => (Number.isFinite(value) ? rate.format(value) : '–'),
    /** Learning rates and the like: 2e-4 stays short. */
    scientific: (value: number) =>
      value === 0 || (Math.abs(value) >= 0.01 && Math.abs(value) < 10000)
        ? String(Number(value.toPrecision(4)))
        : Number(value.toPrecision(3)).toExponential().replace('e+', 'e'),
    bytes(sizeBytes: number) {
      let unit = 0;
      let value = sizeBytes;
      while (value >= 1024 && unit < UNITS.length - 1) {
        value /= 1024;
        unit++;
      }
      return new Intl.NumberFormat(locale, {
        style: 'unit',
        unit: UNITS[unit],
        unitDisplay: unit === 0 ? 'long' : 'short',
        maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0,
      }).format(value);
    },
    duration(milliseconds: number) {
      const seconds = Math.max(0, Math.round(milliseconds / 1000));
      const parts: [number, 'hour' | 'minute' | 'second'][] =
        seconds >= 3600
          ? [
              [Math.floor(seconds / 3600), 'hour'],
              [Math.floor((seconds % 3600) / 60), 'minute'],
            ]
          : seconds >= 60
            ? [
                [Math.floor(seconds / 60), 'minute'],
                [seconds % 60, 'second'],
              ]
            : [[seconds, 'second']];
      return parts
        .filter(([value], index) => index === 0 || value > 0)
        .map(([value, unit]) =>
          apart(new Intl.NumberFormat(locale, { style: 'unit', unit }).format(value)),
        )
        .join(' ');
    },
    /** Of what is often shorter than a second. */
    shortDuration(milliseconds: number) {
      if (milliseconds >= 10_000) return this.duration(milliseconds);
      return apart(
        new Intl.NumberFormat(locale, {
          style: 'unit',
          unit: 'second',
          maximumSignificantDigits: 2,
        }).format(milliseconds / 1000),
      );
    },
    dateTime: (milliseconds: number) => dateTime.format(milliseconds),
    clock: (milliseconds: number) => clock.format(milliseconds),
    list: (items: readonly string[]) =>
      new Intl.ListFormat(locale, { type: 'conjunction' }).format(items),
    language: (tag: string) => {
      try {
        return new Intl.DisplayNames(locale, { type: 'language' }).of(tag) ?? tag;
      } catch {
        return tag;
      }
    },
  };
}
