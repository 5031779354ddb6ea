/**
 * - `unknown_recipe`: there is no image of that name.
 * - `tools_missing`: programs of this machine that the build needs are not installed; the message says how to get them.
 * - `build_failed`: a program ended with an error; the message holds its last lines.
 * - `publish_failed`: AWS took the image and could not make it one of its own.
 * - `aborted`: the caller's signal fired, or the time limit was reached.
 */
export type ImageErrorCode =
  | 'unknown_recipe'
  | 'tools_missing'
  | 'build_failed'
  | 'publish_failed'
  | 'aborted';

/** Everything that goes wrong while an image is made. */
export class ImageError extends Error {
  override name = 'ImageError';
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
