import { vvar_map_failed_unmap } from '../vdso/map.ts';
import type { Patch } from './patch.ts';

export const unmapOnVvarFailure: Patch = {
  id: '0001',
  subject: 'x86/vdso: unmap vdso blob on vvar mapping failure',
  requires: [],
  about:
    'map_vdso() installs [vdso] first. When [vvar] then failed it returned the error, but left the text mapped without its ' +
    'data. The patch unmaps the text. It shows only when the second mapping fails, which memory alone can cause: ' +
    '"monitor fail vvar" makes it happen once.',
  apply: () => ({ vvar_map_failed: vvar_map_failed_unmap }),
};

/** As it was merged (v4.9): context.vdso_image is cleared, too. */
export const unmapOnVvarFailureMerged: Patch = {
  ...unmapOnVvarFailure,
  apply: () => ({
    vvar_map_failed: (mm, image, textStart) => {
      vvar_map_failed_unmap(mm, image, textStart);
      mm.vdsoImage = undefined;
    },
  }),
};
