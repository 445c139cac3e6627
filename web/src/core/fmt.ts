// SPDX-License-Identifier: MIT
// Figures and times as people of a language write them. Formatters are expensive to make and kept.

export type Lang = 'en' | 'ko';
export type Zone = 'local' | 'utc';
export const NONE = '—';

const cache = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>();

function kept<T extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>(
  key: string,
  make: () => T,
): T {
  let found = cache.get(key) as T | undefined;
  if (!found) {
    found = make();
    cache.set(key, found);
  }
  return found;
}

/** English dates are written day first and in 24 hours, as operators of several countries share one screen. */
export function localeOf(lang: Lang): string {
  return lang === 'ko' ? 'ko-KR' : 'en-GB';
}

function numberFormat(lang: Lang, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  return kept(`n${lang}${JSON.stringify(options)}`, () => new Intl.NumberFormat(localeOf(lang), options));
}

export function number(lang: Lang, value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  // The most used form has a key that costs nothing to make: a table formats some hundred figures a second.
  return kept(
    `${lang}${digits}`,
    () => new Intl.NumberFormat(localeOf(lang), { maximumFractionDigits: digits, minimumFractionDigits: digits }),
  ).format(value);
}

export function percent(lang: Lang, value: number | null | undefined, digits = 0): string {
  const text = number(lang, value, digits);
  return text === NONE ? text : `${text}%`;
}

export function celsius(lang: Lang, value: number | null | undefined, digits = 0): string {
  const text = number(lang, value, digits);
  return text === NONE ? text : `${text} °C`;
}

/** Memory from MiB: GiB from one GiB on, TiB from ten TiB on. */
export function memory(lang: Lang, mib: number | null | undefined): string {
  if (mib === null || mib === undefined || !Number.isFinite(mib)) return NONE;
  if (mib >= 10 * 1024 * 1024) return `${number(lang, mib / 1048576, 1)} TiB`;
  if (mib >= 1024) return `${number(lang, mib / 1024, mib < 10240 ? 1 : 0)} GiB`;
  return `${number(lang, mib)} MiB`;
}

export function watts(lang: Lang, value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value >= 1e6) return `${number(lang, value / 1e6, 2)} MW`;
  if (value >= 1e4) return `${number(lang, value / 1e3, 1)} kW`;
  return `${number(lang, value, value < 100 ? 1 : 0)} W`;
}

export function bytesPerSecond(lang: Lang, value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value >= 1e9) return `${number(lang, value / 1e9, 1)} GB/s`;
  if (value >= 1e6) return `${number(lang, value / 1e6, 1)} MB/s`;
  return `${number(lang, value / 1e3, 1)} kB/s`;
}

export function money(lang: Lang, value: number | null | undefined, currency: string): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  try {
    const digits = Math.abs(value) >= 1000 ? 0 : 2;
    return numberFormat(lang, {
      style: 'currency',
      currency,
      currencyDisplay: 'narrowSymbol',
      maximumFractionDigits: currency === 'KRW' ? 0 : digits,
      minimumFractionDigits: currency === 'KRW' ? 0 : digits,
    }).format(value);
  } catch {
    return `${number(lang, value, 2)} ${currency}`;
  }
}

export type TimeStyle = 'clock' | 'minute' | 'day' | 'full';

const TIME_STYLE: Record<TimeStyle, Intl.DateTimeFormatOptions> = {
  clock: { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  minute: { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  day: { month: 'short', day: 'numeric' },
  full: {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  },
};

export function time(lang: Lang, zone: Zone, epochSeconds: number | null | undefined, style: TimeStyle): string {
  if (epochSeconds === null || epochSeconds === undefined || !Number.isFinite(epochSeconds)) return NONE;
  const key = `d${lang}${zone}${style}`;
  const format = kept(
    key,
    () =>
      new Intl.DateTimeFormat(localeOf(lang), { ...TIME_STYLE[style], ...(zone === 'utc' ? { timeZone: 'UTC' } : {}) }),
  );
  return format.format(epochSeconds * 1000);
}

export function timeOfText(lang: Lang, zone: Zone, rfc3339: string | null | undefined, style: TimeStyle): string {
  return rfc3339 ? time(lang, zone, Date.parse(rfc3339) / 1000, style) : NONE;
}

/** "27 / 80 GiB": what is used of what there is, in one unit. */
export function memoryOf(lang: Lang, usedMib: number | null | undefined, totalMib: number | null | undefined): string {
  const used = memory(lang, usedMib);
  const total = memory(lang, totalMib);
  const unit = total.slice(total.lastIndexOf(' '));
  return `${used.endsWith(unit) ? used.slice(0, -unit.length) : used} / ${total}`;
}

/** "3s", "2m", "5h", "4d" in the language's own shortest units. */
export function duration(lang: Lang, seconds: number): string {
  const [value, unit] =
    seconds < 60
      ? [seconds, 'second']
      : seconds < 3600
        ? [seconds / 60, 'minute']
        : seconds < 86400
          ? [seconds / 3600, 'hour']
          : [seconds / 86400, 'day'];
  return numberFormat(lang, { style: 'unit', unit, unitDisplay: 'narrow', maximumFractionDigits: 0 }).format(
    Math.floor(value),
  );
}
