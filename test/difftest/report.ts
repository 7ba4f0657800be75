import type { Mismatch } from './difftest.ts';

/** A mismatch for people: encoding, input, what was expected and what came. */
export function showMismatch(mismatch: Mismatch): string {
  const { draft, testCase } = mismatch;
  const lines = [
    `${mismatch.encoding}  ${draft.mode}-bit ${draft.step ? 'step' : 'free'}  ${Buffer.from(testCase.code).toString('hex')}  ${mismatch.text}  seed ${draft.seed}`,
  ];
  const gpr = [...testCase.gpr].map((value, i) => `${i}:${value.toString(16)}`).join(' ');
  lines.push(`  in   gpr ${gpr} rflags ${testCase.rflags.toString(16)} rip ${testCase.rip.toString(16)}`);
  const segments = testCase.selectors.map((selector, i) => `${'ecsdfg'[i]}s ${selector.toString(16)}`).join(' ');
  lines.push(`  in   ${segments} fs base ${testCase.fsBase.toString(16)} gs base ${testCase.gsBase.toString(16)}`);
  for (const patch of testCase.patches) {
    lines.push(`  in   data+${patch.offset.toString(16)}: ${Buffer.from(patch.bytes.subarray(0, 48)).toString('hex')}`);
  }
  if (draft.profile !== 'integer') {
    const x = Buffer.from(testCase.xstate);
    const head = `fcw ${x.readUInt16LE(0).toString(16)} fsw ${x.readUInt16LE(2).toString(16)} ftw ${x[4]!.toString(16)} mxcsr ${x.readUInt32LE(24).toString(16)}`;
    lines.push(`  in   ${head}`);
    const count = draft.profile === 'x87' ? 0 : draft.mode === 64 ? 16 : 8;
    for (let i = 0; i < count; i++) {
      const low = Buffer.from(x.subarray(160 + i * 16, 176 + i * 16))
        .reverse()
        .toString('hex');
      const high = Buffer.from(x.subarray(576 + i * 16, 592 + i * 16))
        .reverse()
        .toString('hex');
      if (new RegExp(`[xy]mm${i}\\b`).test(mismatch.text) || i === 0) lines.push(`  in   ymm${i} ${high} ${low}`);
    }
    if (draft.profile === 'x87' || /mm\d/.test(mismatch.text)) {
      for (let i = 0; i < 8; i++) {
        const value = Buffer.from(x.subarray(32 + i * 16, 42 + i * 16))
          .reverse()
          .toString('hex');
        if (i < 3 || /%mm/.test(mismatch.text) || mismatch.text.includes(`st(${i})`))
          lines.push(`  in   st${i} ${value}`);
      }
    }
  }
  for (const { where, expected, got } of mismatch.differences.slice(0, 8)) {
    lines.push(`  ${where}: expected ${expected}  got ${got}`);
  }
  return lines.join('\n');
}
