// SPDX-License-Identifier: MIT
// Codes of the server in words. A code without a word is shown as it is, never hidden.
import { isKey } from '../core/i18n';
import { t } from './ui.svelte';

export function reasonOf(quality: string | undefined): string {
  if (!quality) return t('quality.none');
  const key = `quality.${quality}`;
  return isKey(key) ? t(key) : quality;
}

export function healthReason(code: string): string {
  const key = `reason.${code}`;
  return isKey(key) ? t(key) : code;
}

export function throttleReason(code: string): string {
  const key = `throttle.${code}`;
  return isKey(key) ? t(key) : code;
}

export function errorText(code: string): string {
  const key = `error.${code}`;
  return isKey(key) ? t(key) : t('error.other');
}

export function modelName(model: string): string {
  return model.replaceAll('_', ' ');
}
