// SPDX-License-Identifier: MIT
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseLang, DICTIONARIES, isKey, translate } from '../../src/core/i18n';
import { en, type Key } from '../../src/core/i18n/en';
import { ko } from '../../src/core/i18n/ko';

const keys = Object.keys(en) as Key[];
const placeholders = (text: string) => [...new Set([...text.matchAll(/\{(\w+)/g)].map((m) => m[1]!))].sort();

describe('dictionaries', () => {
  it('have the same keys', () => {
    expect(Object.keys(ko).sort()).toEqual([...keys].sort());
  });

  it('have the same placeholders', () => {
    for (const key of keys) expect(placeholders(ko[key]), key).toEqual(placeholders(en[key]));
  });

  it('have no empty text, no stray brace, no double space', () => {
    for (const text of [...Object.values(en), ...Object.values(ko)]) {
      expect(text.trim(), text).toBe(text);
      expect(text, text).not.toBe('');
      expect(text.replace(/\{\w+(\|[^|}]*\|[^|}]*)?\}/g, 'x'), text).not.toMatch(/[{}]| {2}/);
    }
  });

  it('are each in their own language', () => {
    const hangul = /[가-힣]/;
    for (const key of keys) expect(hangul.test(en[key]), key).toBe(false);
    const shared = keys.filter((key) => !hangul.test(ko[key]));
    for (const key of shared) expect(en[key].replace(/GPUs\b/, 'GPU'), `${key} is not translated`).toBe(ko[key]);
  });

  it('have no Korean particle after a placeholder, as its form depends on the value', () => {
    for (const key of keys) expect(ko[key], key).not.toMatch(/\}(은|는|이|가|을|를|와|과|로|으로)(?![가-힣])/);
  });

  it('hold no key that nothing uses', () => {
    const source = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(svelte|ts)$/.test(name) && !name.includes('i18n'))
      .map((name) => readFileSync(join('src', name), 'utf8'))
      .join('\n');
    const built = [...source.matchAll(/`([a-z][\w.]*\.)\$\{/g)].map((m) => m[1]!);
    const unused = keys.filter((key) => !source.includes(`'${key}'`) && !built.some((start) => key.startsWith(start)));
    expect(unused).toEqual([]);
  });
});

describe('translate', () => {
  it('fills placeholders, and leaves one without a value to be seen', () => {
    expect(translate('en', 'list.count', { shown: '3', total: '24' })).toBe('3 of 24');
    expect(translate('ko', 'list.count', { shown: '3', total: '24' })).toBe('24개 중 3개');
    expect(translate('en', 'list.count', { shown: '3' })).toBe('3 of {total}');
  });

  it('chooses one or many', () => {
    expect(translate('en', 'chart.gaps', { count: 1 })).toBe('1 gap');
    expect(translate('en', 'chart.gaps', { count: '1,001' })).toBe('1,001 gaps');
    expect(translate('en', 'chart.gaps', { count: 0 })).toBe('0 gaps');
    expect(translate('ko', 'chart.gaps', { count: 1 })).toBe('빈 구간 1곳');
  });

  it('does not read a value as a pattern', () => {
    expect(translate('en', 'error.code', { code: '$& {code}' })).toBe('Code $& {code}');
  });

  it('knows its keys only', () => {
    expect(isKey('app.title')).toBe(true);
    expect(isKey('toString')).toBe(false);
    expect(Object.keys(DICTIONARIES).sort()).toEqual(['en', 'ko']);
  });
});

it.each([
  ['ko', 'en', ['en-US'], 'ko'],
  [null, 'ko', ['en-US'], 'ko'],
  [null, null, ['ja-JP', 'ko-KR', 'en'], 'ko'],
  [null, null, ['fr-FR'], 'en'],
  ['xx', null, [], 'en'],
  ['KO-kr', 'en', [], 'ko'],
] as const)('language from %j, %j, %j is %s', (url, saved, preferred, expected) => {
  expect(chooseLang(url, saved, preferred)).toBe(expected);
});
