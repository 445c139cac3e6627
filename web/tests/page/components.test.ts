// SPDX-License-Identifier: MIT
import { createRawSnippet } from 'svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ApiError, setApiKey } from '../../src/api/client';
import type { MigInstance } from '../../src/api/types';
import { ui } from '../../src/state/ui.svelte';
import { errorText, healthReason, modelName, reasonOf, throttleReason } from '../../src/state/words';
import ErrorState from '../../src/ui/ErrorState.svelte';
import HealthMark from '../../src/ui/HealthMark.svelte';
import Kpi from '../../src/ui/Kpi.svelte';
import Panel from '../../src/ui/Panel.svelte';
import Segmented from '../../src/ui/Segmented.svelte';
import Skeleton from '../../src/ui/Skeleton.svelte';
import Value from '../../src/ui/Value.svelte';
import VirtualRows from '../../src/ui/VirtualRows.svelte';
import Legend from '../../src/viz/Legend.svelte';
import MigDiagram from '../../src/viz/MigDiagram.svelte';
import { click, show, textOf } from './mount';

afterEach(() => {
  ui.setLang('en');
  setApiKey(null);
});

describe('Value', () => {
  it('shows a value', () => expect(textOf(show(Value, { text: '42%' }))).toBe('42%'));

  it('says why there is none, to the eye and to a reader', () => {
    const node = show(Value, { text: '—', quality: 'unsupported' });
    expect(node.querySelector('.none')!.getAttribute('title')).toBe('This GPU or source does not measure it');
    expect(textOf(node)).toBe('— (This GPU or source does not measure it)');
  });

  it('shows a reason it has no words for as it is', () => {
    expect(textOf(show(Value, { text: '—', quality: 'novel' }))).toBe('— (novel)');
  });
});

describe('Kpi', () => {
  it('is a button only when it leads somewhere', () => {
    const onclick = vi.fn();
    const node = show(Kpi, { label: 'Idle GPUs', value: '3', note: 'of 24', onclick });
    click(node.querySelector('button'));
    expect(onclick).toHaveBeenCalledOnce();
    expect(show(Kpi, { label: 'GPUs', value: '24' }).querySelector('button')).toBeNull();
  });

  it('explains a figure that is not known', () => {
    const node = show(Kpi, { label: 'Cost', value: '—', why: 'no rate' });
    expect(node.querySelector('.value')!.getAttribute('title')).toBe('no rate');
  });
});

it.each(['ok', 'degraded', 'failed', 'unknown'] as const)(
  'health %s has a glyph and a word in each language',
  (health) => {
    const glyph = () => show(HealthMark, { health }).querySelector('.glyph')!;
    const before = textOf(glyph().parentElement);
    expect(glyph().getAttribute('aria-hidden')).toBe('true');
    ui.setLang('ko');
    expect(textOf(glyph().parentElement)).not.toBe(before);
  },
);

it('Segmented marks what is chosen and tells of a choice', () => {
  const onchange = vi.fn();
  const options = [
    { value: 'a', label: 'A' },
    { value: 'b', label: 'B' },
  ] as const;
  const node = show(Segmented<'a' | 'b'>, { label: 'Pick', value: 'a' as const, options, onchange });
  expect([...node.querySelectorAll('button')].map((b) => b.getAttribute('aria-pressed'))).toEqual(['true', 'false']);
  click(node.querySelectorAll('button')[1]);
  expect(onchange).toHaveBeenCalledWith('b');
});

it('Panel is a region named by its heading', () => {
  const children = createRawSnippet(() => ({ render: () => '<p>inside</p>' }));
  const node = show(Panel, { title: 'Fleet map', stale: true, children });
  const section = node.querySelector('section')!;
  expect(document.getElementById(section.getAttribute('aria-labelledby')!)!.textContent).toBe('Fleet map');
  expect(section.classList.contains('stale')).toBe(true);
});

it('Skeleton says that something is loading', () => {
  expect(textOf(show(Skeleton, { size: 'chart' }).querySelector('[role="status"]'))).toBe('Loading');
});

describe('ErrorState', () => {
  it('shows what, code, request and a way to try again', () => {
    const onretry = vi.fn();
    const node = show(ErrorState, { error: new ApiError('unavailable', 503, 'req-7', 'the store is busy'), onretry });
    for (const part of [
      'The server cannot answer right now.',
      'the store is busy',
      'Code unavailable',
      'Request req-7',
    ])
      expect(textOf(node)).toContain(part);
    click(node.querySelector('button'));
    expect(onretry).toHaveBeenCalledOnce();
  });

  it('asks for a key on 401, and says when the one tried was wrong', () => {
    const onretry = vi.fn();
    const error = () => new ApiError('unauthenticated', 401, null);
    const node = show(ErrorState, { error: error(), onretry });
    expect(node.querySelector('[role="alert"]')).toBeNull();
    const input = node.querySelector('input')!;
    expect(input.type).toBe('password');
    input.value = 'gmk_wrong';
    input.dispatchEvent(new Event('input', { bubbles: true }));
    node.querySelector('form')!.dispatchEvent(new SubmitEvent('submit', { bubbles: true, cancelable: true }));
    expect(onretry).toHaveBeenCalledOnce();
    expect(sessionStorage.getItem('gm.apiKey')).toBe('gmk_wrong');
    const again = show(ErrorState, { error: error(), onretry });
    expect(textOf(again.querySelector('[role="alert"]'))).toBe('The server does not know this key.');
  });

  it('does not send what cannot be a key', () => {
    const onretry = vi.fn();
    const node = show(ErrorState, { error: new ApiError('unauthenticated', 401, null), onretry });
    const input = node.querySelector('input')!;
    input.value = 'two words';
    input.dispatchEvent(new Event('input', { bubbles: true }));
    node.querySelector('form')!.dispatchEvent(new SubmitEvent('submit', { bubbles: true, cancelable: true }));
    expect(onretry).not.toHaveBeenCalled();
    expect(sessionStorage.getItem('gm.apiKey')).toBeNull();
  });

  it('names the missing role on 403', () => {
    const error = new ApiError('forbidden', 403, null, 'needs the role operator');
    const node = show(ErrorState, { error, onretry: vi.fn() });
    expect(textOf(node)).toContain('Your role does not allow this');
    expect(textOf(node)).toContain('needs the role operator');
  });
});

describe('words', () => {
  it('put codes into words and never hide an unknown one', () => {
    expect(healthReason('xid_hardware')).toBe('XID hardware error');
    expect(healthReason('novel')).toBe('novel');
    expect(throttleReason('sw_power_cap')).toBe('Power cap (software)');
    expect(throttleReason('0x1000')).toBe('0x1000');
    expect(reasonOf(undefined)).toBe('Not measured');
    expect(reasonOf('not_reported')).toBe('The source does not report it');
    expect(errorText('not_found')).toBe('It does not exist.');
    expect(errorText('constructor')).toBe('The server refused the request.');
    expect(modelName('H100_80GB')).toBe('H100 80GB');
  });
});

describe('Legend', () => {
  it('has a ramp with ends for a value, marks for states', () => {
    const ramp = show(Legend, { color: 'temp' });
    expect(ramp.querySelectorAll('.ramp rect').length).toBeGreaterThan(10);
    expect(textOf(ramp)).toBe('30 °C 95 °C not measured');
    const marks = show(Legend, { color: 'health' });
    expect(marks.querySelector('.ramp')).toBeNull();
    expect(textOf(marks)).toBe('OKDegradedFailedUnknown');
  });
});

describe('VirtualRows', () => {
  const cell = (text: string) => createRawSnippet(() => ({ render: () => `<span role="columnheader">${text}</span>` }));
  const row = createRawSnippet<[number]>((k) => ({ render: () => `<div role="row" data-k="${k()}">${k()}</div>` }));

  it('tells how many rows there are, and draws only those in view', () => {
    const node = show(VirtualRows, {
      label: 'List',
      count: 20000,
      maxHeight: 320,
      columns: '1fr',
      head: cell('A'),
      row,
    });
    const table = node.querySelector('[role="table"]')!;
    expect(table.getAttribute('aria-rowcount')).toBe('20001');
    expect(node.querySelectorAll('[data-k]').length).toBeLessThan(30);
    expect(node.querySelector<HTMLElement>('.body')!.style.height).toBe(`${20000 * 32}px`);
  });

  it('holds no rows when there are none', () => {
    const node = show(VirtualRows, { label: 'List', count: 0, columns: '1fr', head: cell('A'), row });
    expect(node.querySelectorAll('[data-k]')).toHaveLength(0);
  });
});

describe('MigDiagram', () => {
  const instance = (
    giId: number,
    profile: string,
    start: number | null,
    size: number | null,
    pod = '',
  ): MigInstance => ({
    id: `d-MIG-${giId}.0`,
    giId,
    ciId: 0,
    uuid: null,
    profile,
    profileId: profile,
    placementStart: start,
    placementSize: size,
    memoryTotalMiB: 9856,
    memoryUsedMiB: 4096,
    utilization: pod ? 40 : null,
    pods: pod ? [{ namespace: 'ml', pod, container: null }] : [],
    quality: pod ? {} : { utilization: 'unsupported' },
  });
  const profiles = [
    {
      profile: '1g.10gb',
      profileId: 'H100_1G10GB',
      computeSlices: 1,
      memorySlices: 1,
      memoryMiB: 9856,
      maxInstances: 7,
      placements: [0, 1, 2, 3, 4, 5, 6],
    },
  ];

  it('draws each instance where it lies and names what is free, stranded and still fits', () => {
    const instances = [instance(1, '3g.40gb', 0, 4, 'vllm'), instance(7, '1g.10gb', 4, 1)];
    const node = show(MigDiagram, { units: 8, profiles, instances });
    const rects = [...node.querySelectorAll('.span rect')];
    expect(rects.map((r) => Math.round(Number(r.getAttribute('x')) / 71.5))).toEqual([0, 4]);
    expect(node.querySelectorAll('.free')).toHaveLength(3);
    expect([...node.querySelectorAll('.word')].map(textOf)).toEqual(['Free', 'Free', 'stranded']);
    expect(textOf(node)).toContain('Still fits: 1g.10gb');
    expect(textOf(node)).toContain('slice 7');
    expect(node.querySelector('svg')!.getAttribute('aria-label')).toContain('3g.40gb 0–3');
    expect(textOf(node.querySelectorAll('li')[0]!)).toContain('ml/vllm');
    expect(textOf(node.querySelectorAll('li')[1]!)).toContain('— (This GPU or source does not measure it)');
  });

  it('draws nothing it does not know', () => {
    const node = show(MigDiagram, { units: 8, profiles, instances: [instance(1, '3g.40gb', null, null)] });
    expect(node.querySelector('.span')).toBeNull();
    expect(textOf(node)).toContain('does not say where these instances lie');
  });
});
