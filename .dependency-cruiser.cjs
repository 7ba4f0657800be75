/** Who may import whom; ARCHITECTURE.md explains. */
const deny = (name, from, to) => ({ name, severity: 'error', from, to });
module.exports = {
  forbidden: [
    deny('no-cycles', {}, { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } }),
    deny('cpu-imports-nothing', { path: '^cpu/' }, { path: '^(linux|criu|server|test)/' }),
    deny('abi-imports-nothing', { path: '^linux/abi/' }, { path: '^(cpu|criu|server|test)/|^linux/(?!abi/)' }),
    deny('linux-imports-cpu-only', { path: '^linux/' }, { path: '^(criu|server|test)/' }),
    deny('criu-imports-linux', { path: '^criu/' }, { path: '^(server|test)/' }),
    deny(
      'packets-see-the-target-only',
      { path: '^server/(packets|rsp|registers)/' },
      { path: '^(linux/(?!abi/)|criu|cpu)/|^server/(linux-target|monitor/)' },
    ),
    deny(
      'linux-behind-the-target',
      { path: '^server/', pathNot: '^server/(linux-target|monitor/|main|start|demo|commands/|bundle/)' },
      { path: '^linux/(?!abi/)' },
    ),
    deny('criu-in-the-composition-root', { path: '^server/', pathNot: '^server/(main|commands/)' }, { path: '^criu/' }),
    deny('patches-are-chosen-at-boot', { path: '^(?!linux/kernel\\.ts|linux/patches/|server/|test/)' }, { path: '^linux/patches/' }),
  ],
  options: { tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.json' }, doNotFollow: { path: 'node_modules' } },
};
