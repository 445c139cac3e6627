// SPDX-License-Identifier: MIT
// What the person chose: language, theme, time zone. Kept in localStorage; the URL may override language and theme.
import type { Lang, Zone } from '../core/fmt';
import { chooseLang, translate, type Key, type Params } from '../core/i18n';
import type { Theme } from '../core/scales';

export type ThemeChoice = 'system' | Theme;
const THEMES: readonly ThemeChoice[] = ['system', 'light', 'dark'];

function saved(name: string): string | null {
  try {
    return localStorage.getItem(`gm.${name}`);
  } catch {
    return null;
  }
}

function save(name: string, value: string): void {
  try {
    localStorage.setItem(`gm.${name}`, value);
  } catch {
    // Storage is off: the choice then lives as long as the page.
  }
}

const fromUrl = new URLSearchParams(location.search);
const darkQuery = typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : null;

function themeChoice(): ThemeChoice {
  const wish = (fromUrl.get('theme') ?? saved('theme')) as ThemeChoice;
  return THEMES.includes(wish) ? wish : 'system';
}

class Ui {
  lang = $state<Lang>(chooseLang(fromUrl.get('lang'), saved('lang'), navigator.languages));
  themeChoice = $state<ThemeChoice>(themeChoice());
  zone = $state<Zone>(saved('zone') === 'utc' ? 'utc' : 'local');
  shortcuts = $state(saved('shortcuts') !== 'off');
  private systemDark = $state(darkQuery?.matches ?? false);
  /** Parameters of the URL that outlive a change of the route. */
  extra = $state<Record<string, string>>({ lang: fromUrl.get('lang') ?? '', theme: fromUrl.get('theme') ?? '' });
  theme = $derived<Theme>(this.themeChoice === 'system' ? (this.systemDark ? 'dark' : 'light') : this.themeChoice);

  constructor() {
    darkQuery?.addEventListener('change', (e) => (this.systemDark = e.matches));
  }

  setLang(lang: Lang): void {
    this.lang = lang;
    this.extra.lang = '';
    save('lang', lang);
  }

  setTheme(choice: ThemeChoice): void {
    this.themeChoice = choice;
    this.extra.theme = '';
    save('theme', choice);
  }

  setZone(zone: Zone): void {
    this.zone = zone;
    save('zone', zone);
  }

  setShortcuts(on: boolean): void {
    this.shortcuts = on;
    save('shortcuts', on ? 'on' : 'off');
  }

  nextTheme(): void {
    this.setTheme(this.theme === 'dark' ? 'light' : 'dark');
  }
}

export const ui = new Ui();

export function t(key: Key, params?: Params): string {
  return translate(ui.lang, key, params);
}
