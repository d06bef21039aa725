// What imports what: lib, ui -> api -> features -> app, no feature another, and nothing in a circle.
const ORDER = ['lib', 'ui', 'api', 'features', 'app'];
const MAY_IMPORT = { lib: [], ui: ['lib'], api: ['lib'], features: ['lib', 'ui', 'api'] };

const above = (folder) => ORDER.filter((other) => other !== folder && !MAY_IMPORT[folder].includes(other)).join('|');

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    ...Object.keys(MAY_IMPORT).map((folder) => ({
      name: `${folder}-imports-downwards`,
      severity: 'error',
      from: { path: `^src/${folder}/` },
      to: { path: `^src/(${above(folder)})/` },
    })),
    {
      name: 'no-feature-imports-another',
      comment: 'What two features need belongs into ui, api or lib.',
      severity: 'error',
      from: { path: '^src/features/([^/]+)/' },
      to: { path: '^src/features/', pathNot: '^src/features/$1/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
  },
};
