// Which room may import which; see "Rooms" in docs/architecture.md. The tests of a room may use any room.
const test = '([.]test|-for-tests)[.]ts$';
const room = (name, ...allowed) => ({
  name: `${name}-imports-only-what-it-may`,
  severity: 'error',
  from: { path: `^${name}/`, pathNot: test },
  to: {
    path: '^(api|bench|cli|contract|examples|provider|queue|runner|setup|stacks|test)/',
    pathNot: `^(${[name, ...allowed].join('|')})/`,
  },
});

module.exports = {
  forbidden: [
    room('contract'),
    room('queue', 'contract'),
    room('api', 'contract', 'queue'),
    room('runner', 'contract', 'queue'),
    room('provider', 'contract'),
    room('stacks', 'contract', 'provider'),
    {
      name: 'the-plugin-knows-nothing-of-ebb',
      severity: 'error',
      from: { path: '^provider/plugin/', pathNot: test },
      to: { path: '^(api|bench|cli|contract|queue|runner|setup|stacks|test|provider/(?!plugin/))' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^stacks/bindings/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.cjs', '.json'] },
  },
};
