/** The package's `exports` hide its types from NodeNext resolution. */
declare module 'binary-parser' {
  export * from 'binary-parser/dist/binary_parser.js';
}
