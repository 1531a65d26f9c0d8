/**
 * Numbers sent as base64, little-endian.
 *
 * @template T
 * @param {string} base64
 * @param {new (buffer: ArrayBuffer) => T} Type the typed array to make
 * @returns {T}
 */
export function decode(base64, Type) {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return new Type(bytes.buffer);
}
