// What imports what: lib, ui -> api -> parts -> features -> app, no feature another, and nothing in a circle.
const ORDER = ['lib', 'ui', 'api', 'parts', 'features', 'app'];
const MAY_IMPORT = { lib: [], ui: ['lib'], api: ['lib'], parts: ['lib', 'ui', 'api'], features: ['lib', 'ui', 'api', 'parts'] };

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
      comment: 'What two features need belongs into lib, ui or api; into parts if it is shown and asks the API itself.',
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
