// SPDX-License-Identifier: MIT
// What jsdom lacks of a browser. Canvas stays absent: what is drawn is looked at in Chromium.
class NoObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}
globalThis.ResizeObserver = NoObserver as unknown as typeof ResizeObserver;
HTMLCanvasElement.prototype.getContext = (() => null) as typeof HTMLCanvasElement.prototype.getContext;
window.matchMedia = ((query: string) => ({
  matches: false,
  media: query,
  addEventListener() {},
  removeEventListener() {},
})) as unknown as typeof window.matchMedia;
const base = document.createElement('base');
base.href = '/k8s-monitor/';
document.head.append(base);
