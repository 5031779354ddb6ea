/** The only file that names the package, so that moving to its successor is a change of one line. */
export * from 'cdktf';
