import type { Row } from './row.ts';
export function approximations(): Row[] {
  return [];
}
