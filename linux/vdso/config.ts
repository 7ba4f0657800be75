import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { applyAlternatives, type VdsoImage, vdsoImage } from './image.ts';

/** The vDSO images that a machine has, and its [vvar]. */
export interface VdsoConfig {
  readonly image64: VdsoImage | undefined;
  readonly image32: VdsoImage | undefined;
  /** CONFIG_X86_X32_ABI */
  readonly imageX32: VdsoImage | undefined;
  /** 2 in v4.7: vvar and pvclock. */
  readonly vvarPages: number;
  /** What the pages hold: the offsets that our images read, or zeros, which later kernels' images take as "no clock". */
  readonly vvar: 'ours' | 'zero';
  /** vdso32_enabled and vdso64_enabled: the boot options vdso32= and vdso=. */
  readonly vdso32Enabled: boolean;
  readonly vdso64Enabled: boolean;
}

export type CpuVendor = 'amd' | 'intel' | 'any';

const VVAR_PAGES = 2;
/** The 64-bit image of v4.7 has two pages. */
const MIN_SIZE_64 = 0x2000;

const shipped = (name: string): Uint8Array => {
  for (const place of ['./', '../../../linux/vdso/']) {
    try {
      return readFileSync(fileURLToPath(new URL(`${place}${name}`, import.meta.url)));
    } catch {
      // compiled code lies under dist/, the images do not
    }
  }
  throw new Error(`${name} is missing; npm run guests builds it`);
};

/** Our own images: linux/vdso/src. */
export function vdsoShipped(vendor: CpuVendor = 'any'): VdsoConfig {
  const image64 = vdsoImage(shipped('vdso64.so'), VVAR_PAGES, MIN_SIZE_64);
  const image32 = vdsoImage(shipped('vdso32.so'), VVAR_PAGES);
  const imageX32 = vdsoImage(shipped('vdsox32.so'), VVAR_PAGES);
  if (image32) applyAlternatives(image32, vendor);
  return { image64, image32, imageX32, vvarPages: VVAR_PAGES, vvar: 'ours', vdso32Enabled: true, vdso64Enabled: true };
}

/**
 * A machine with the vDSO found in a CRIU image (`--vdso image`), as if it were the kernel that the dump was made on.
 * What the image lacks comes from ours. `vvarPages` counts all pages before the text.
 */
export function vdsoFromImage(
  bytes64: Uint8Array | undefined,
  bytes32: Uint8Array | undefined,
  vvarPages: number,
  vendor: CpuVendor = 'any',
): VdsoConfig {
  const ours = vdsoShipped(vendor);
  const at = (image: VdsoImage | undefined): VdsoImage | undefined =>
    image && { ...image, symVvarStart: -vvarPages * 4096, frames: [] };
  return {
    ...ours,
    image64: bytes64 ? vdsoImage(bytes64, vvarPages) : at(ours.image64),
    image32: bytes32 ? vdsoImage(bytes32, vvarPages) : at(ours.image32),
    imageX32: at(ours.imageX32),
    vvarPages,
    vvar: 'zero',
  };
}

/** `--vdso FILE`: an ELF file in the place of our image of its class; undefined when it is no vDSO. */
export function vdsoFromFile(file: Uint8Array, vendor: CpuVendor = 'any'): VdsoConfig | undefined {
  const image = vdsoImage(file, VVAR_PAGES);
  if (image === undefined) return undefined;
  const ours = vdsoShipped(vendor);
  if (image.kind === '64') return { ...ours, image64: image };
  return image.kind === 'x32' ? { ...ours, imageX32: image } : { ...ours, image32: image };
}
