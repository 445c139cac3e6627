// SPDX-License-Identifier: MIT
// Columns travel as base64 of little-endian arrays; every browser this page runs in is little-endian too.

type FromBase64 = { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const native = (Uint8Array as unknown as FromBase64).fromBase64;
  if (native) return native.call(Uint8Array, text);
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

export function u32Of(text: string): Uint32Array {
  const b = bytesOf(text);
  return new Uint32Array(b.buffer, b.byteOffset, b.byteLength >> 2);
}

export function u16Of(text: string): Uint16Array {
  const b = bytesOf(text);
  return new Uint16Array(b.buffer, b.byteOffset, b.byteLength >> 1);
}
