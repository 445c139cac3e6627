// SPDX-License-Identifier: MIT
import type { Lang } from '../fmt';
import { en, type Key } from './en';
import { ko } from './ko';

export type { Key };
export const DICTIONARIES: Record<Lang, Record<Key, string>> = { en, ko };
export const LANGS: readonly Lang[] = ['ko', 'en'];

export type Params = Record<string, string | number>;

const PLACEHOLDER = /\{(\w+)(?:\|([^|}]*)\|([^|}]*))?\}/g;

/** Fills `{name}`, and chooses in `{name|one|many}` by whether the value is written "1". */
export function translate(lang: Lang, key: Key, params?: Params): string {
  const text = DICTIONARIES[lang][key];
  if (!params) return text;
  return text.replace(PLACEHOLDER, (whole, name: string, one?: string, many?: string) => {
    const value = params[name];
    if (value === undefined) return whole;
    if (one === undefined) return String(value);
    return String(value) === '1' ? one : (many ?? '');
  });
}

export function isKey(key: string): key is Key {
  return Object.hasOwn(en, key);
}

/** Choice order: URL, saved, what the browser prefers, English. */
export function chooseLang(fromUrl: string | null, saved: string | null, preferred: readonly string[]): Lang {
  for (const wish of [fromUrl, saved, ...preferred]) {
    const lang = wish?.slice(0, 2).toLowerCase();
    if (lang === 'ko' || lang === 'en') return lang;
  }
  return 'en';
}
