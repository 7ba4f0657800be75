/** Where gdb connects: `[HOST]:PORT`, `unix:PATH` or `stdio`. */

export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'stdio' };

export const DEFAULT_ADDRESS = '127.0.0.1:1234';

/** @returns undefined if the text is no address */
export function parseListen(text: string): ListenAddress | undefined {
  if (text === 'stdio' || text === '-') return { kind: 'stdio' };
  if (text.startsWith('unix:')) return text.length > 5 ? { kind: 'unix', path: text.slice(5) } : undefined;
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? /^()()(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65535) return undefined;
  return { kind: 'tcp', host: match[1] || match[2] || '127.0.0.1', port };
}
